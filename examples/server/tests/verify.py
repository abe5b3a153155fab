"""Verifies the access token on standard input, as others do who know nothing but where our keys are.

python verify.py pyjwt|authlib JWKS_URL ISSUER AUDIENCE

Prints the claims as JSON. A token that is not good ends it with status 1 and the library's reason.
"""

import json
import sys
import urllib.request

library, jwks_url, issuer, audience = sys.argv[1:]
token = sys.stdin.read().strip()


def pyjwt():
    import jwt

    key = jwt.PyJWKClient(jwks_url, timeout=10).get_signing_key_from_jwt(token)
    required = ["exp", "iat", "iss", "aud", "sub", "jti", "client_id"]
    return jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        issuer=issuer,
        audience=audience,
        options={"require": required},
    )


def authlib():
    from authlib.oauth2.rfc9068.token_validator import JWTBearerTokenValidator
    from joserfc.jwk import KeySet

    class Validator(JWTBearerTokenValidator):
        def get_jwks(self):
            with urllib.request.urlopen(jwks_url, timeout=10) as answer:
                return KeySet.import_key_set(json.load(answer))

    validator = Validator(issuer=issuer, resource_server=audience)
    claims = validator.authenticate_token(token)
    validator.validate_token(claims, [], None)
    return dict(claims)


try:
    print(json.dumps({"pyjwt": pyjwt, "authlib": authlib}[library]()))
except Exception as error:
    # Authlib says what a client is told, and keeps the reason behind it.
    reason = error.__cause__ or error
    print(f"{type(reason).__name__}: {reason}", file=sys.stderr)
    sys.exit(1)
