#!/usr/bin/env python3
"""A stand-in for Microsoft Entra on loopback: real signed tokens, and bad ones on request.

It knows one tenant. It listens twice on 127.0.0.1: https for those that talk to Entra itself, plain http for those
that talk to a machine's own identity endpoint or cannot be given a CA. Both ports serve every route.

  Entra        GET  /{tenant}/v2.0/.well-known/openid-configuration
               GET  /{tenant}/discovery/v2.0/keys
               POST /{tenant}/oauth2/v2.0/token        client secret, client assertion, device code, refresh token
               POST /{tenant}/oauth2/v2.0/devicecode   approved at once, for one synthetic user
               POST /{tenant}/oauth2/token             v1: takes a resource where v2 takes a scope
  ARM          GET  /subscriptions, /tenants           as Azure CLI asks for them at login
  App Service  GET  /msi/token                         X-IDENTITY-HEADER is the secret of the app that it stands for,
                                                       which is asked unless client_id names another
  IMDS         GET  /metadata/identity/oauth2/token    client_id names the app, else it is the first one
  control      PUT  /control/apps/{client id}          JSON with any of the fields below; makes the app if it is new
               GET  /control/apps/{client id}/assertion   what a platform would put into AZURE_FEDERATED_TOKEN_FILE
               POST /control/reset                     forgets settings, added apps and the log
  log          GET  /log?client_id={client id}         what was asked: route, grant, scope, resource, status, time

An app's fields, with what they are for a new one:

  secret     "<client id>-secret"
  object_id  a UUID made from the client id: who the token is for, "oid" and "sub"
  roles      ["Data.Reader", "system/*.cruds"]
  life       3600   seconds until the token ends; negative: it ended already
  told_life  null   seconds that the answer speaks of, where that is to differ from the token's own
  key        "own"  or "foreign": signed with a key that the key set does not hold
  audience   null   the token's audience, where it is to differ from the resource that was asked for
  tenant     null   the tenant that the token names, where it is to differ from the one that was asked
  status     200    any other: each request of this app is refused with it
  delay      0      seconds before each answer to this app

For the resource "https://more-proof.example" a user has to prove more than signing in, so that there is no token for it.

Settings belong to an app, so cases that use an app each can run at the same time.

Tokens are of version 1.0, as the services get them: the audience is the resource, the issuer ends in "/{tenant}/".
Prints one line of JSON with both base URLs when it is ready, and runs until it is ended.
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
MORE_PROOF = "https://more-proof.example"


@dataclass
class App:
    client_id: str
    secret: str = ""
    object_id: str = ""
    roles: list = field(default_factory=lambda: ["Data.Reader", "system/*.cruds"])
    life: int = 3600
    told_life: int | None = None
    key: str = "own"
    audience: str | None = None
    tenant: str | None = None
    status: int = 200
    delay: float = 0

    def __post_init__(self):
        self.secret = self.secret or f"{self.client_id}-secret"
        self.object_id = self.object_id or str(uuid.uuid5(uuid.NAMESPACE_OID, self.client_id))


class Refused(Exception):
    """An answer in Entra's JSON error form."""

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
        shown = jwt.algorithms.RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**shown, "kid": self.id, "use": "sig", "alg": "RS256"}


class Entra:
    """The tenant: its apps, its keys and what it was asked."""

    def __init__(self, tenant, client_id):
        self.tenant, self.first = tenant, client_id
        self.keys = {"own": Key(), "foreign": Key()}
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
            raise Refused(400, "unauthorized_client", 700016, f"Application with identifier '{client_id}' was not found.")
        return app

    def app_of_secret(self, secret):
        return next((app for app in self.apps.values() if secret and app.secret == secret), None)

    def check_tenant(self, tenant):
        if tenant not in (self.tenant, "common", "organizations"):
            raise Refused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")

    def check_client(self, app, form, issuer):
        """The client proves itself by its secret, or by an assertion that this stand-in issued for it."""
        if form.get("client_assertion_type") == JWT_BEARER:
            try:
                public = self.keys["own"].private.public_key()
                checks = {"algorithms": ["RS256"], "audience": EXCHANGE_AUDIENCE, "issuer": issuer, "subject": app.client_id}
                jwt.decode(form.get("client_assertion", ""), public, **checks)
            except jwt.InvalidTokenError as error:
                raise Refused(401, "invalid_client", 700213, f"No matching federated identity: {error}.") from error
        elif form.get("client_secret") != app.secret:
            raise Refused(401, "invalid_client", 7000215, "Invalid client secret provided.")

    def claims(self, app, issuer, resource, **more):
        now = int(time.time())
        tenant = app.tenant or self.tenant
        return {
            "aud": app.audience or resource,
            "iss": f"{issuer}/{tenant}/",
            "iat": now + min(app.life, 0),
            "nbf": now + min(app.life, 0),
            "exp": now + app.life,
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
    """The one resource that is asked for, without the "/.default" that makes it a scope."""
    if version == 1:
        if "resource" not in form:
            raise Refused(400, "invalid_request", 900144, "The request body must contain the parameter 'resource'.")
        return form["resource"]
    if "resource" in form:
        raise Refused(400, "invalid_request", 901002, "The 'resource' request parameter is not supported.")
    wanted = [scope for scope in form.get("scope", "").split() if scope not in OPENID_SCOPES]
    if len(wanted) != 1:
        raise Refused(400, "invalid_scope", 70011, "The scope must name one resource.")
    if not wanted[0].endswith("/.default"):
        raise Refused(400, "invalid_scope", 1002012, f"The scope '{wanted[0]}' does not end in '/.default'.")
    return wanted[0].removesuffix("/.default")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    entra: Entra
    issuer: str  # the https base URL, whichever port was asked

    def do_GET(self):
        self.serve()

    do_POST = do_PUT = do_GET

    def serve(self):
        url = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.asked = {"route": url.path, "client_id": None, "grant": None, "scope": None, "resource": None}
        try:
            status, answer = self.route(self.command, url.path.strip("/").split("/"))
        except Refused as refused:
            status, answer = refused.status, refused.body
        except (TypeError, ValueError) as error:
            status, answer = 400, {"error": "bad_request", "error_description": str(error)}
        if not url.path.startswith(("/control", "/log")):
            with self.entra.lock:
                self.entra.log.append({**self.asked, "status": status, "time": time.time()})
        text = json.dumps(answer).encode()
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
                    return 200, [asked for asked in self.entra.log if wanted in (None, asked["client_id"])]
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
        """Keeps the console quiet: /log holds what was asked."""

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
        self.note(form.get("client_id"), form.get("grant_type"), form.get("scope"), form.get("resource"))
        return form

    def note(self, client_id, grant, scope=None, resource=None):
        self.asked.update(client_id=client_id, grant=grant, scope=scope, resource=resource)

    def let_pass(self, app):
        """The app's delay, and its refusal if it is to have one."""
        time.sleep(app.delay)
        if app.status != 200:
            raise Refused(app.status, "temporarily_unavailable", 90033, "A transient error has occurred.")

    def device_code(self, tenant):
        self.entra.check_tenant(tenant)
        return 200, {
            # The token request names the code only, so the code holds what it is for.
            "device_code": self.form().get("scope", ""),
            "user_code": "SYNTHETIC",
            "verification_uri": f"{self.issuer}/device",
            "expires_in": 900,
            "interval": 1,
            "message": "Nothing to do: the synthetic user approves at once.",
        }

    def token(self, tenant, version):
        form = self.form()
        self.entra.check_tenant(tenant)
        grant = form.get("grant_type")
        if grant in (DEVICE_CODE, "device_code", "refresh_token"):
            # A public client: any tool may sign the synthetic user in, and needs no app of its own.
            app = self.entra.apps.get(form["client_id"]) or App(form["client_id"])
            return 200, self.user_answer(app, {"scope": form.get("device_code", ""), **form}, version)
        if grant != "client_credentials":
            raise Refused(400, "unsupported_grant_type", 70003, f"The grant type '{grant}' is not supported.")
        app = self.entra.app(form.get("client_id"))
        self.let_pass(app)
        self.entra.check_client(app, form, self.issuer)
        return 200, self.answer(app, resource_of(form, version), version)

    def answer(self, app, resource, version, **claims):
        token = self.entra.keys[app.key].sign(self.entra.claims(app, self.issuer, resource, **claims))
        told = app.life if app.told_life is None else app.told_life
        answer = {"token_type": "Bearer", "expires_in": told, "ext_expires_in": told, "access_token": token}
        if version == 1:
            now = int(time.time())
            times = {"expires_in": str(told), "ext_expires_in": str(told), "expires_on": str(now + told), "not_before": str(now)}
            answer.update(times, resource=resource)
        return answer

    def user_answer(self, app, form, version):
        self.let_pass(app)
        resource = resource_of(form, version)
        if resource == MORE_PROOF:
            raise Refused(400, "interaction_required", 50076, "You must use multi-factor authentication.")
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
            **self.answer(app, resource, version, **user),
            "scope": form.get("scope", ""),
            "refresh_token": "synthetic",
            "id_token": id_token,
            "client_info": base64.urlsafe_b64encode(client_info).decode().rstrip("="),
        }

    def app_service(self):
        resource = self.query.get("resource", "")
        app = self.entra.app_of_secret(self.headers.get("X-IDENTITY-HEADER"))
        client_id = self.query.get("client_id", app and app.client_id)
        self.note(client_id, "app_service", None, resource)
        if not app:
            return 401, {"statusCode": 401, "message": "X-IDENTITY-HEADER does not match"}
        app = self.entra.app(client_id)
        self.let_pass(app)
        answer = self.answer(app, resource, 1)
        return 200, {name: answer[name] for name in ("access_token", "expires_on", "resource", "token_type")} | {
            "client_id": app.client_id
        }

    def imds(self):
        resource, client_id = self.query.get("resource", ""), self.query.get("client_id", self.entra.first)
        self.note(client_id, "imds", None, resource)
        if self.headers.get("Metadata") != "true":
            return 400, {"error": "invalid_request", "error_description": "Required metadata header not specified"}
        app = self.entra.app(client_id)
        self.let_pass(app)
        return 200, self.answer(app, resource, 1) | {"client_id": client_id}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A client that hangs up is its own affair; anything else is worth a line."""
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
    parser.add_argument("--https-port", type=int, default=0, help="default: any free one")
    parser.add_argument("--http-port", type=int, default=0, help="default: any free one")
    options = parser.parse_args()

    Handler.entra = Entra(options.tenant, options.client_id)
    https = Server(("127.0.0.1", options.https_port), Handler)
    http = Server(("127.0.0.1", options.http_port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.cert_key)
    # The handshake is left to the request's own thread: a client that never speaks must not hold up the others.
    https.socket = context.wrap_socket(https.socket, server_side=True, do_handshake_on_connect=False)
    Handler.issuer = f"https://localhost:{https.server_port}"
    print(json.dumps({"https": Handler.issuer, "http": f"http://127.0.0.1:{http.server_port}"}), flush=True)

    threading.Thread(target=http.serve_forever, daemon=True).start()
    https.serve_forever()


if __name__ == "__main__":
    main()
