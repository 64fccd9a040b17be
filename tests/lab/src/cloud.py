"""The cloud API of a lab: moto, with IAM enforced from the first request.

It serves the AWS API over TLS, and over plain HTTP a few calls by which the lab itself sets the
stage without credentials. After every change, and before its answer leaves, the public hosted
zones are written to a file, which the lab's DNS server reads: so a change is seen at once.
"""

import json
import os
import re
import sys
import threading

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.iam.access_control import IAMRequestBase
from moto.iam.models import iam_backends
from moto.route53.models import route53_backends
from moto.route53.responses import Route53
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

ACCOUNT = "123456789012"
ROUTE53 = route53_backends[ACCOUNT]["aws"]
IAM = iam_backends[ACCOUNT]["aws"]
ZONES, ADDRESS, CERTIFICATE, KEY, PORT, ADMIN_ADDRESS, ADMIN_PORT = sys.argv[1:]
WRITING = threading.Lock()


def plain(record_set):
    values = [v["Value"] if isinstance(v, dict) else v for v in record_set.records or []]
    name = record_set.name.replace("\\052", "*")
    return {"name": name, "type": record_set.type, "ttl": int(record_set.ttl or 0), "values": values}


def write_zones():
    with WRITING:
        zones = [
            {"name": zone.name, "records": [plain(r) for r in zone.rrsets]}
            for zone in list(ROUTE53.zones.values())
            if not zone.private_zone
        ]
        with open(ZONES + ".new", "w", encoding="utf-8") as file:
            json.dump(zones, file)
        os.replace(ZONES + ".new", ZONES)


def resource_of(responses):
    """The ARN that IAM compares with a policy's Resource: moto would take all for "*"."""
    found = re.search(r"/(hostedzone|change)/([^/?]+)", responses.path)
    return f"arn:aws:route53:::{found[1]}/{found[2]}" if found else "*"


def call_action(responses, answer=Route53.call_action):
    """Errors in the shape that Route 53 gives them; moto's hides the code from AWS clients."""
    status, headers, body = answer(responses)
    if isinstance(body, str):
        body = body.replace("<Errors><Error>", "<Error>").replace("</Error></Errors>", "</Error>")
    return status, headers, body


def signed_request(request, create=IAMRequestBase._create_aws_request):
    """What was signed: for a request without a body moto would hash the fields of its query."""
    request._data = b""
    return create(request)


IAMRequestBase._create_aws_request = signed_request
Route53._determine_resource = resource_of
Route53.call_action = call_action


class Published:
    """The AWS API; the zones are published before a change is acknowledged."""

    def __init__(self, api):
        self.api = api

    def __call__(self, environ, start_response):
        body = list(self.api(environ, start_response))
        if environ["REQUEST_METHOD"] != "GET" and "/hostedzone" in environ["PATH_INFO"]:
            write_zones()
        return body


def create_zone(arguments):
    zone = ROUTE53.create_hosted_zone(arguments["name"].rstrip(".") + ".", private_zone=False)
    write_zones()
    return {"id": zone.resource_id}


def create_user(arguments):
    name = arguments["name"]
    IAM.create_user(region_name="us-east-1", user_name=name)
    IAM.put_user_policy(name, "given", json.dumps(arguments["policy"]))
    key = IAM.create_access_key(name)
    return {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}


def create_role(arguments):
    trust = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
    }
    name = arguments["name"]
    role = IAM.create_role(name, json.dumps(trust), "/", None, "", [], 3600)
    IAM.put_role_policy(name, "given", json.dumps(arguments["policy"]))
    return {"arn": role.arn}


CALLS = {"/zones": create_zone, "/users": create_user, "/roles": create_role}


def admin(environ, start_response):
    request = Request(environ)
    call = CALLS.get(request.path)
    if call is None:
        return Response("ready")(environ, start_response)
    try:
        response = Response(json.dumps(call(request.get_json())), content_type="application/json")
    except Exception as error:
        response = Response(f"{type(error).__name__}: {error}", status=400)
    return response(environ, start_response)


def main():
    write_zones()
    api = Published(DomainDispatcherApplication(create_backend_app))
    server = make_server(
        ADDRESS,
        int(PORT),
        api,
        threaded=True,
        ssl_context=(CERTIFICATE, KEY),
        request_handler=MotoRequestHandler,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    make_server(ADMIN_ADDRESS, int(ADMIN_PORT), admin, threaded=True).serve_forever()


main()
