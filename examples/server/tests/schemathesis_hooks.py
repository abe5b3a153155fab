"""What a schema cannot say of the requests that the tests make."""

import schemathesis
from schemathesis.generation import GenerationMode


@schemathesis.hook
def before_call(ctx, case, kwargs):
    # A right cursor is one that a list answered, and nobody can make one up. Wrong ones are still sent.
    is_right = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    if is_right and case.query:
        case.query.pop("cursor", None)
    # A client authenticates itself in one way alone (RFC 6749 section 2.3), and a header field is there already.
    if is_right and case.path.startswith("/oauth/") and isinstance(case.body, dict):
        case.body.pop("client_secret", None)
    # No schema has the list of common passwords.
    if is_right and case.path.startswith("/api/v1/users/") and isinstance(case.body, dict):
        for member in ("password", "new_password"):
            if isinstance(case.body.get(member), str) and not case.path.endswith("/login"):
                case.body[member] = "three brown cows"
