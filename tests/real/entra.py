#!/usr/bin/env python3
"""A fake Microsoft Entra on loopback that issues real signed tokens, and invalid ones on request.

It has one tenant and listens on two ports of 127.0.0.1: https for clients of Entra, plain http for clients of a
machine's identity endpoint and for those that accept no custom CA. Both ports serve all routes.

  Entra        GET  /{tenant}/v2.0/.well-known/openid-configuration
               GET  /{tenant}/discovery/v2.0/keys
               POST /{tenant}/oauth2/v2.0/token        client secret, client assertion, device code, refresh token
               POST /{tenant}/oauth2/v2.0/devicecode   approved at once, for one synthetic user
               POST /{tenant}/oauth2/token             v1: takes a resource instead of a scope
  ARM          GET  /subscriptions, /tenants           requested by Azure CLI during the login
  App Service  GET  /msi/token                         X-IDENTITY-HEADER is the secret of an app; the token is for that
                                                       app, or for the one that client_id names
  IMDS         GET  /metadata/identity/oauth2/token    the token is for the app that client_id names, or for the first
  control      PUT  /control/apps/{client id}          JSON with any of the fields below; creates the app if necessary
               GET  /control/apps/{client id}/assertion   the content of AZURE_FEDERATED_TOKEN_FILE
               POST /control/reset                     deletes settings, added apps and the log
  log          GET  /log?client_id={client id}         all requests: route, grant, scope, resource, status, time

The fields of an app, with their defaults:

  secret             "<client id>-secret"
  object_id          a UUID derived from the client id; the claims "oid" and "sub"
  roles              ["Data.Reader", "system/*.cruds"]
  lifetime           3600   seconds until the token expires; negative for an expired token
  reported_lifetime  null   seconds that the response reports, if different from the lifetime
  key                "own"  or "unknown": signs with a key that is not in the published key set
  audience           null   the audience of the token, if different from the requested resource
  tenant             null   the tenant in the token, if different from the requested tenant
  status             200    any other status fails all requests of this app
  delay              0      seconds before each response to this app

For the resource "https://requires-mfa.example", user sign-ins fail because multi-factor authentication is required.

Settings belong to an app, so that test cases with different apps can run at the same time.

Tokens are of version 1.0, as the services receive them: the audience is the resource, the issuer ends in "/{tenant}/".
When it is ready, the program prints one line of JSON with both base URLs. It runs until it is stopped.
"""

import argparse
import base64
import json
import ssl
import sys
import threading
import time
import uuid
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
OPENID_SCOPES = {"openid", "profile", "offline_access", "email"}
EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
USER = "synthetic.user@contoso.example"
REQUIRES_MFA = "https://requires-mfa.example"


@dataclass
class App:
    client_id: str
    secret: str = ""
    object_id: str = ""
    roles: list = field(default_factory=lambda: ["Data.Reader", "system/*.cruds"])
    lifetime: int = 3600
    reported_lifetime: int | None = None
    key: str = "own"
    audience: str | None = None
    tenant: str | None = None
    status: int = 200
    delay: float = 0

    def __post_init__(self):
        self.secret = self.secret or f"{self.client_id}-secret"
        self.object_id = self.object_id or str(uuid.uuid5(uuid.NAMESPACE_OID, self.client_id))


class EntraError(Exception):
    """An error response in the JSON format of Entra."""

    def __init__(self, status, error, code, text):
        super().__init__(text)
        self.status = status
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
        trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
        self.body = {
            "error": error,
            "error_description": f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}",
            "error_codes": [code],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
        }


class Key:
    def __init__(self):
        self.id = uuid.uuid4().hex
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, claims):
        return jwt.encode(claims, self.private, algorithm="RS256", headers={"kid": self.id})

    def public(self):
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.id, "use": "sig", "alg": "RS256"}


class Entra:
    """The tenant with its apps, its keys and its request log."""

    def __init__(self, tenant, client_id):
        self.tenant, self.first = tenant, client_id
        self.keys = {"own": Key(), "unknown": Key()}
        self.lock = threading.Lock()
        self.reset()

    def reset(self):
        with self.lock:
            self.apps = {self.first: App(self.first)}
            self.log = []

    def configure(self, client_id, changes):
        with self.lock:
            self.apps[client_id] = replace(self.apps.get(client_id) or App(client_id), **changes)
            return asdict(self.apps[client_id])

    def app(self, client_id):
        app = self.apps.get(client_id)
        if not app:
            raise EntraError(400, "unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found.")
        return app

    def app_of_secret(self, secret):
        return next((app for app in self.apps.values() if secret and app.secret == secret), None)

    def check_tenant(self, tenant):
        if tenant not in (self.tenant, "common", "organizations"):
            raise EntraError(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")

    def check_client(self, app, form, issuer):
        """Checks the secret, or an assertion that this server issued for the app."""
        if form.get("client_assertion_type") == JWT_BEARER:
            try:
                public = self.keys["own"].private.public_key()
                checks = {"algorithms": ["RS256"], "audience": EXCHANGE_AUDIENCE, "issuer": issuer, "subject": app.client_id}
                jwt.decode(form.get("client_assertion", ""), public, **checks)
            except jwt.InvalidTokenError as error:
                raise EntraError(401, "invalid_client", 700213, f"No matching federated identity: {error}.") from error
        elif form.get("client_secret") != app.secret:
            raise EntraError(401, "invalid_client", 7000215, "Invalid client secret provided.")

    def claims(self, app, issuer, resource, **more):
        now = int(time.time())
        tenant = app.tenant or self.tenant
        return {
            "aud": app.audience or resource,
            "iss": f"{issuer}/{tenant}/",
            "iat": now + min(app.lifetime, 0),
            "nbf": now + min(app.lifetime, 0),
            "exp": now + app.lifetime,
            "appid": app.client_id,
            "oid": app.object_id,
            "sub": app.object_id,
            "tid": tenant,
            "roles": app.roles,
            "uti": uuid.uuid4().hex,
            "ver": "1.0",
            **more,
        }

    def assertion(self, client_id, issuer):
        now = int(time.time())
        claims = {"iss": issuer, "sub": client_id, "aud": EXCHANGE_AUDIENCE, "iat": now, "exp": now + 3600}
        return self.keys["own"].sign(claims)


def resource_of(form, version):
    """Returns the only requested resource. For a scope, this is the part before "/.default"."""
    if version == 1:
        if "resource" not in form:
            raise EntraError(400, "invalid_request", 900144, "The request body must contain the parameter 'resource'.")
        return form["resource"]
    if "resource" in form:
        raise EntraError(400, "invalid_request", 901002, "The 'resource' request parameter is not supported.")
    wanted = [scope for scope in form.get("scope", "").split() if scope not in OPENID_SCOPES]
    if len(wanted) != 1:
        raise EntraError(400, "invalid_scope", 70011, "The scope must name one resource.")
    if not wanted[0].endswith("/.default"):
        raise EntraError(400, "invalid_scope", 1002012, f"The scope '{wanted[0]}' does not end in '/.default'.")
    return wanted[0].removesuffix("/.default")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    entra: Entra
    issuer: str  # the https base URL, for both ports

    def do_GET(self):
        self.serve()

    do_POST = do_PUT = do_GET

    def serve(self):
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.log_entry = {"route": url.path, "client_id": None, "grant": None, "scope": None, "resource": None}
        try:
            status, response = self.route(self.command, url.path.strip("/").split("/"))
        except EntraError as error:
            status, response = error.status, error.body
        except (TypeError, ValueError) as error:
            status, response = 400, {"error": "bad_request", "error_description": str(error)}
        if not url.path.startswith(("/control", "/log")):
            with self.entra.lock:
                self.entra.log.append({**self.log_entry, "status": status, "time": time.time()})
        text = json.dumps(response).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def route(self, method, path):
        match (method, *path):
            case ("PUT", "control", "apps", client_id):
                return 200, self.entra.configure(client_id, json.loads(self.body))
            case ("GET", "control", "apps", client_id, "assertion"):
                return 200, {"assertion": self.entra.assertion(client_id, self.issuer)}
            case ("POST", "control", "reset"):
                return 200, self.entra.reset()
            case ("GET", "log"):
                wanted = self.query.get("client_id")
                with self.entra.lock:
                    return 200, [entry for entry in self.entra.log if wanted in (None, entry["client_id"])]
            case ("GET", "subscriptions"):
                return 200, {"value": []}
            case ("GET", "tenants"):
                tenant = self.entra.tenant
                return 200, {"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Synthetic"}]}
            case ("GET", "msi", "token"):
                return self.app_service()
            case ("GET", "metadata", "identity", "oauth2", "token"):
                return self.imds()
            case ("GET", tenant, "v2.0", ".well-known", "openid-configuration"):
                return self.discovery(tenant)
            case ("GET", tenant, "discovery", "v2.0", "keys"):
                return 200, {"keys": [self.entra.keys["own"].public()]}
            case ("POST", tenant, "oauth2", "v2.0", "devicecode"):
                return self.device_code(tenant)
            case ("POST", tenant, "oauth2", "v2.0", "token"):
                return self.token(tenant, 2)
            case ("POST", tenant, "oauth2", "token"):
                return self.token(tenant, 1)
        return 404, {"error": "not_found"}

    def log_message(self, *_):
        """Logs nothing to the console, because /log returns all requests."""

    def discovery(self, tenant):
        self.entra.check_tenant(tenant)
        base = f"{self.issuer}/{tenant}"
        return 200, {
            "issuer": f"{self.issuer}/{self.entra.tenant}/",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def form(self):
        form = {name: values[0] for name, values in parse_qs(self.body).items()}
        self.record(form.get("client_id"), form.get("grant_type"), form.get("scope"), form.get("resource"))
        return form

    def record(self, client_id, grant, scope=None, resource=None):
        self.log_entry.update(client_id=client_id, grant=grant, scope=scope, resource=resource)

    def apply_faults(self, app):
        """Waits for the app's delay and raises an error if its status is not 200."""
        time.sleep(app.delay)
        if app.status != 200:
            raise EntraError(app.status, "temporarily_unavailable", 90033, "A transient error has occurred.")

    def device_code(self, tenant):
        self.entra.check_tenant(tenant)
        return 200, {
            # The token request contains only the code, so the code contains the scope.
            "device_code": self.form().get("scope", ""),
            "user_code": "SYNTHETIC",
            "verification_uri": f"{self.issuer}/device",
            "expires_in": 900,
            "interval": 1,
            "message": "The synthetic user approves automatically.",
        }

    def token(self, tenant, version):
        form = self.form()
        self.entra.check_tenant(tenant)
        grant = form.get("grant_type")
        if grant in (DEVICE_CODE, "device_code", "refresh_token"):
            # A public client: any tool can sign in the synthetic user without a registered app.
            app = self.entra.apps.get(form["client_id"]) or App(form["client_id"])
            return 200, self.user_token_response(app, {"scope": form.get("device_code", ""), **form}, version)
        if grant != "client_credentials":
            raise EntraError(400, "unsupported_grant_type", 70003, f"The grant type '{grant}' is not supported.")
        app = self.entra.app(form.get("client_id"))
        self.apply_faults(app)
        self.entra.check_client(app, form, self.issuer)
        return 200, self.token_response(app, resource_of(form, version), version)

    def token_response(self, app, resource, version, **claims):
        token = self.entra.keys[app.key].sign(self.entra.claims(app, self.issuer, resource, **claims))
        lifetime = app.lifetime if app.reported_lifetime is None else app.reported_lifetime
        response = {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime, "access_token": token}
        if version == 1:
            now = int(time.time())
            expires_in, expires_on = str(lifetime), str(now + lifetime)
            times = {"expires_in": expires_in, "ext_expires_in": expires_in, "expires_on": expires_on, "not_before": str(now)}
            response.update(times, resource=resource)
        return response

    def user_token_response(self, app, form, version):
        self.apply_faults(app)
        resource = resource_of(form, version)
        if resource == REQUIRES_MFA:
            raise EntraError(400, "interaction_required", 50076, "You must use multi-factor authentication.")
        user = {"oid": str(uuid.uuid5(uuid.NAMESPACE_DNS, USER)), "upn": USER, "scp": "user_impersonation"}
        now = int(time.time())
        id_token = self.entra.keys["own"].sign({
            "iss": f"{self.issuer}/{self.entra.tenant}/v2.0",
            "aud": app.client_id,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "sub": user["oid"],
            "oid": user["oid"],
            "tid": self.entra.tenant,
            "preferred_username": USER,
            "ver": "2.0",
        })
        client_info = json.dumps({"uid": user["oid"], "utid": self.entra.tenant}).encode()
        return {
            **self.token_response(app, resource, version, **user),
            "scope": form.get("scope", ""),
            "refresh_token": "synthetic",
            "id_token": id_token,
            "client_info": base64.urlsafe_b64encode(client_info).decode().rstrip("="),
        }

    def app_service(self):
        resource = self.query.get("resource", "")
        app = self.entra.app_of_secret(self.headers.get("X-IDENTITY-HEADER"))
        client_id = self.query.get("client_id", app and app.client_id)
        self.record(client_id, "app_service", None, resource)
        if not app:
            return 401, {"statusCode": 401, "message": "X-IDENTITY-HEADER does not match"}
        app = self.entra.app(client_id)
        self.apply_faults(app)
        response = self.token_response(app, resource, 1)
        return 200, {name: response[name] for name in ("access_token", "expires_on", "resource", "token_type")} | {
            "client_id": app.client_id
        }

    def imds(self):
        resource, client_id = self.query.get("resource", ""), self.query.get("client_id", self.entra.first)
        self.record(client_id, "imds", None, resource)
        if self.headers.get("Metadata") != "true":
            return 400, {"error": "invalid_request", "error_description": "Required metadata header not specified"}
        app = self.entra.app(client_id)
        self.apply_faults(app)
        return 200, self.token_response(app, resource, 1) | {"client_id": client_id}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """Ignores clients that disconnect, and reports all other errors."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    summary, _, rest = __doc__.partition("\n\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cert", required=True, help="PEM certificate for localhost")
    parser.add_argument("--cert-key", required=True, help="PEM key of the certificate")
    parser.add_argument("--tenant", required=True, help="id of the tenant")
    parser.add_argument("--client-id", required=True, help="id of the first app; its secret is <id>-secret")
    parser.add_argument("--https-port", type=int, default=0, help="default: a free port")
    parser.add_argument("--http-port", type=int, default=0, help="default: a free port")
    options = parser.parse_args()

    Handler.entra = Entra(options.tenant, options.client_id)
    https = Server(("127.0.0.1", options.https_port), Handler)
    http = Server(("127.0.0.1", options.http_port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.cert_key)
    # The request's thread does the handshake, because a client that sends nothing must not block the others.
    https.socket = context.wrap_socket(https.socket, server_side=True, do_handshake_on_connect=False)
    Handler.issuer = f"https://localhost:{https.server_port}"
    print(json.dumps({"https": Handler.issuer, "http": f"http://127.0.0.1:{http.server_port}"}), flush=True)

    threading.Thread(target=http.serve_forever, daemon=True).start()
    https.serve_forever()


if __name__ == "__main__":
    main()
