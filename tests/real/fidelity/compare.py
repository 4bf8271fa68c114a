"""Sends the same requests to a fake service and to a real server, and compares the responses.

    compare.py REQUESTS DIFFERENCES

``REQUESTS`` has one request per line, as JSON:

===========  ========================================================================================================
``name``     unique in the file
``send``     method and path. ``{variable}`` is replaced. A path that starts with ``http`` is complete.
``token``    ``valid`` (default), ``none``, ``other`` (for another audience) or ``denied`` (without a role)
``headers``  further headers
``json``     the body as JSON
``text``     the body as text
``dicom``    the names of DICOM files, see ``dicom_file``: a body of type multipart/related
``save``     variables for the following requests: for each a path into the JSON body. An object in a path selects the
             first element of an array with the same values.
``repeat``   how often the request is sent. The last response is compared.
===========  ========================================================================================================

For every response, these are compared: the status, the headers in ``HEADERS``, and of the body the JSON paths with
their types (all elements of an array share a path), the values at ``VALUES``, or the parts of a multipart body. Values that
differ between servers, such as ids, are replaced first.

``DIFFERENCES`` lists the known differences, one ``REQUEST | DIFFERENCE | REASON`` per line. REQUEST and DIFFERENCE are patterns in
which ``*`` matches any text. A difference that is not listed is an error, and so is a line that matches no difference.

The environment variables ``FAKE`` and ``REAL`` are JSON objects with the ``url`` of a service and its tokens.
"""

import http.client
import json
import os
import re
import sys
import time
import urllib.parse
from email.parser import BytesParser
from pathlib import Path

# What is compared of each header.
HEADERS = {
    "content-type": lambda value, _: media_type(value),
    "etag": lambda value, _: re.sub(r'"[^"]+"', '"…"', value),
    "location": lambda value, service: service.normalize(value),
    "content-location": lambda value, service: service.normalize(value),
    "last-modified": lambda *_: "present",
    "www-authenticate": lambda value, _: challenge(value),
    "allow": lambda *_: "present",
}
# Where the values are compared, not only their types. Elements of DICOM JSON are always compared.
VALUES = re.compile(
    r"\$(\.resourceType|\.type|\.total|\.issue\[\]\.(code|severity)|\.link\[\]\.relation|\.entry\[\]\.(search\.mode|response\.status"
    r"|request\.method)|\.fhirVersion|\[\]\.[0-9A-F]{8}\..*)"
)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# 14 digits that are valid in a UID
UNIQUE = f"2{time.time_ns() // 1000 % 10**13:013d}"

DICOM_NAMES = {"study": "ab", "series": "ab", "instance": ["a1", "a2", "b1"]}
# The new UIDs have the same lengths.
SAMPLE_UIDS = {
    "study": "1.3.6.1.4.1.5962.1.2.1.20040119072730.12322",
    "series": "1.3.6.1.4.1.5962.1.3.1.1.20040119072730.12322",
    "instance": "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322",
}


class Service:
    """A service with the variables of its requests."""

    def __init__(self, settings):
        self.url = settings["url"].rstrip("/")
        self.tokens = settings
        self.variables = {"unique": UNIQUE} | {
            f"{kind}_{name}": dicom_uid(kind, name) for kind, names in DICOM_NAMES.items() for name in names
        }

    def send(self, request):
        method, path = self.fill(request["send"]).split(" ", 1)
        headers = {name: self.fill(value) for name, value in request.get("headers", {}).items()}
        body = None
        if "json" in request:
            body = self.fill(json.dumps(request["json"])).encode()
            headers.setdefault("Content-Type", "application/fhir+json")
        elif "text" in request:
            body = self.fill(request["text"]).encode()
        elif "dicom" in request:
            body = b"".join(
                b"--part\r\nContent-Type: application/dicom\r\n\r\n" + dicom_file(name) + b"\r\n" for name in request["dicom"]
            )
            body += b"--part--\r\n"
            headers.setdefault("Content-Type", 'multipart/related; type="application/dicom"; boundary=part')
        token = request.get("token", "valid")
        if token != "none":
            headers["Authorization"] = f"Bearer {self.tokens[token]}"
        url = urllib.parse.urlsplit(path if path.startswith("http") else self.url + path)
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        connection.request(method, url._replace(scheme="", netloc="").geturl(), body, headers)
        response = connection.getresponse()
        result = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        connection.close()
        return result

    def fill(self, text):
        return re.sub(r"\{(\w+)\}", lambda match: self.variables.get(match[1], match[0]), text)

    def save(self, request, body):
        for name, path in request.get("save", {}).items():
            value = json.loads(body)
            for key in path:
                if isinstance(key, dict):
                    value = next(item for item in value if key.items() <= item.items())
                else:
                    value = value[key]
            self.variables[name] = value

    def normalize(self, value):
        """Replaces what differs between two servers or two runs."""
        value = value.replace(self.url, "{base}")
        for name, known in self.variables.items():
            if len(known) > 3:
                value = value.replace(known, f"{{{name}}}")
        value = UUID.sub("{id}", value)
        return re.sub(r"/_history/[^/]+$", "/_history/{version}", value)


def media_type(value):
    main, *parameters = (part.strip() for part in value.split(";"))
    kind = [part.replace('"', "") for part in parameters if part.startswith("type=")]
    return "; ".join([main.lower(), *kind])


def challenge(value):
    scheme, _, parameters = value.partition(" ")
    found = dict(re.findall(r'(\w+)="([^"]*)"', parameters))
    return " ".join([scheme, *sorted(f"{name}={found[name]}" if name == "error" else name for name in found)])


def dicom_uid(kind, name):
    """The UID of a study or series, a or b, or of an instance, such as a1."""
    middle = {"study": "2.1", "series": "3.1.1", "instance": f"1.1.1.{name[1:]}"}[kind]
    return f"1.3.6.1.4.1.5962.1.{middle}.{UNIQUE}.{10_000 + ord(name[0])}"


def dicom_file(name):
    """The sample CT_small with the UIDs of an instance, such as a1, or bytes that are no DICOM file."""
    if name == "garbage":
        return b"not a DICOM file"
    content = Path(os.environ["DICOM_SAMPLES"], "CT_small.dcm").read_bytes()
    for kind, uid in SAMPLE_UIDS.items():
        content = content.replace(uid.encode(), dicom_uid(kind, name).encode())
    return content


def paths(value, path="$"):
    """Yields each JSON path with the type of its value, and its value."""
    if isinstance(value, dict):
        yield path, "object", None
        for key, inner in value.items():
            yield from paths(inner, f"{path}.{key}")
    elif isinstance(value, list):
        yield path, "array", len(value)
        for inner in value:
            yield from paths(inner, f"{path}[]")
    else:
        kinds = {str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
        yield path, kinds[type(value)], value


def parts(content_type, body):
    message = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    return message.get_payload() if message.is_multipart() else []


def describe_json(value, service):
    found = {f"{path} {kind}": None for path, kind, _ in paths(value)}
    values = {}
    for path, _, inner in paths(value):
        if VALUES.fullmatch(path) and inner is not None:
            # 5.0 and 5 are the same number in JSON.
            inner = service.normalize(f"{inner:.12g}" if isinstance(inner, float) else str(inner))
            values.setdefault(f"value {path}", []).append(inner.split()[0] if path.endswith("response.status") else inner)
    if isinstance(value, list):
        values["elements"] = [str(len(value))]
    elif isinstance(value.get("entry"), list):
        values["entries"] = [str(len(value["entry"]))]
    return found | {key: ", ".join(sorted(inner)) for key, inner in values.items()}


def describe(response, service):
    """Returns what is compared of a response: a dictionary of names and values, without a value where only the name counts."""
    status, headers, body = response
    result = {"status": str(status)}
    for name, form in HEADERS.items():
        if name in headers:
            result[f"header {name}"] = form(headers[name], service)
    content_type = headers.get("content-type", "")
    if content_type.startswith("multipart/"):
        found = parts(content_type, body)
        result["parts"] = ", ".join(
            f"{media_type(part.get('Content-Type', 'none'))} of {len(part.get_payload(decode=True))} bytes" for part in found
        )
    elif "json" in content_type and body:
        result |= describe_json(json.loads(body), service)
    else:
        kind = "DICOM" if body[128:132] == b"DICM" else "text"
        result["body"] = kind if body else "empty"
    return result


def differences(fake, real):
    """Yields the differences. A path that only one response has stands for all paths below it, and another type of resource for the
    whole body."""
    kind = "value $.resourceType"
    if fake.get(kind) != real.get(kind):
        fake, real = (
            {name: value for name, value in response.items() if name == kind or "$" not in name} for response in (fake, real)
        )
    hidden = []
    for name in sorted(fake.keys() | real.keys(), key=lambda name: (name.startswith("value"), name)):
        path = name.removeprefix("value ").split(" ")[0]
        if name in fake and name in real:
            if fake[name] != real[name]:
                yield f"{name}: fake {fake[name]}, real {real[name]}"
        elif not any(path.startswith((outer + ".", outer + "[")) or path == outer for outer in hidden):
            if path.startswith("$"):
                hidden.append(path)
            side, value = ("fake", fake[name]) if name in fake else ("real", real[name])
            yield f"only {side}: {name}" + (f" = {value}" if value else "")


def lines(file):
    for line in Path(file).read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            yield line


def matches(pattern, text):
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL)


def main(requests, known):
    fake, real = (Service(json.loads(os.environ[name])) for name in ("FAKE", "REAL"))
    known = [tuple(part.strip() for part in line.split(" | ", 2)) for line in lines(known)]
    used, unknown = set(), []
    count = 0
    for line in lines(requests):
        request = json.loads(line)
        count += 1
        described = []
        for service in (fake, real):
            for _ in range(request.get("repeat", 1)):
                response = service.send(request)
            described.append(describe(response, service))
            try:
                service.save(request, response[2])
            except (KeyError, IndexError, StopIteration, ValueError):
                sys.exit(f"{request['name']}: nothing to save in {response[2][:300]} of {service.url}")
        if os.environ.get("VERBOSE"):
            print(request["name"], described)
        for difference in differences(*described):
            found = {entry for entry in known if matches(entry[0], request["name"]) and matches(entry[1], difference)}
            used |= found
            if not found:
                unknown.append(f"{request['name']} | {difference} | ?")
    gone = [f"no longer occurs: {' | '.join(entry)}" for entry in known if entry not in used]
    print(*unknown, *gone, sep="\n")
    print(f"{count} requests, {len(known)} known differences, {len(unknown)} unknown, {len(gone)} that no longer occur")
    return 1 if unknown or gone else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
