//! Tokens that PyJWT 2.15.1 signed with keys that pyca/cryptography made, to check against another implementation.

/// Algorithm, public JWK, token.
pub(crate) const TOKENS: [(&str, &str, &str); 9] = [
    (
        "RS256",
        r#"{"kty": "RSA", "n": "4cab86xtUzkHrtGhvDyWfgmTifNeMXMcACx-iJZN8dH8DcFB4aRq6qmWz_ZBtbDxZc2nXGF5cc9Z8PsOVCNzn-bwRxqZP4DqyTN4AnVlJJ-TesCXHsL315Iy_BV0TFWfU0XlDvb9bB56yMDBoSWg6JsSafjYNI0MgiIwCm5YJfNJLd5Fhj9QE2GE33LxnEsXxNorbqNgDg1swyHez1e5bu8BYH7xMwNGGoZQDpkoJGTvqVLA-5IqiN2ru6P6SaJxDGDLlp3dtoAe4bqOtvz448NbZjNhOfynnruGt2n6T-JvfUPh9XhiBw8TQYHjQAQpF_lLWtGy9QuKmdEJ2gNVEQ", "e": "AQAB", "kid": "k-RS256"}"#,
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImstUlMyNTYiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.yrFImV4b0ldtHbNURyiAW1be87jeblIhHPoWmp58C3LpSgcZDLiw7v67f3UAphbk6GpnOt1wvhxeRIn1jl2GhlvgX6Ifvlw-lyY9k_EvR4n5daibPwmvN5v3Rzc9Hij2ecuBCIwX129jdrJrjdLnCAGu4fiOpQI4yRAFZ6CM-R79IUnpIJwP8uG8gdWomMmajN__GIbggPGYJVRM89tUhnD5xbSk_xvh0SvJ3_V6671FGYQxp4B5gOdb7sLYFr024Dh6PyZ_DDL6F8MlpovZ0_cXSikvW_2PAEfok3nHEkADvDSqHAG39FYKjfKl6CkH3xuTsFizacYRWvy3o4AEoA",
    ),
    (
        "RS384",
        r#"{"kty": "RSA", "n": "4cab86xtUzkHrtGhvDyWfgmTifNeMXMcACx-iJZN8dH8DcFB4aRq6qmWz_ZBtbDxZc2nXGF5cc9Z8PsOVCNzn-bwRxqZP4DqyTN4AnVlJJ-TesCXHsL315Iy_BV0TFWfU0XlDvb9bB56yMDBoSWg6JsSafjYNI0MgiIwCm5YJfNJLd5Fhj9QE2GE33LxnEsXxNorbqNgDg1swyHez1e5bu8BYH7xMwNGGoZQDpkoJGTvqVLA-5IqiN2ru6P6SaJxDGDLlp3dtoAe4bqOtvz448NbZjNhOfynnruGt2n6T-JvfUPh9XhiBw8TQYHjQAQpF_lLWtGy9QuKmdEJ2gNVEQ", "e": "AQAB", "kid": "k-RS384"}"#,
        "eyJhbGciOiJSUzM4NCIsImtpZCI6ImstUlMzODQiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.ZrGTOYV-n8ibxrrkJIEXQqC-J3nqQEB6waoWrHzOIenxHwTeyEBaRQVbVmmDkgINeWeePna1O4OkXgBVXmzNoYrhqv9Ims9w0nhpfTshW3Bju18oJPJ6SEG6yUyMK0dOplCS41l6-lj88Qxs9Gw15b-UAXukAgR9yoRqsz6HvtH2pcts8rOpAgssGRXil-EVvjfqOFKrS0eR04wOEj63CAnu9ICdvO52su7JDIuhJjrDNPtHNQHKuD-l-pb3TuPnFkO2vFNNueoWHvE5ujf3YPo6jQcIgB-F4Q57BJEIkMC-BukT3f8MgO9lJqH9pJLKd7a--f5SJhv6FrDeDHoNoQ",
    ),
    (
        "RS512",
        r#"{"kty": "RSA", "n": "4cab86xtUzkHrtGhvDyWfgmTifNeMXMcACx-iJZN8dH8DcFB4aRq6qmWz_ZBtbDxZc2nXGF5cc9Z8PsOVCNzn-bwRxqZP4DqyTN4AnVlJJ-TesCXHsL315Iy_BV0TFWfU0XlDvb9bB56yMDBoSWg6JsSafjYNI0MgiIwCm5YJfNJLd5Fhj9QE2GE33LxnEsXxNorbqNgDg1swyHez1e5bu8BYH7xMwNGGoZQDpkoJGTvqVLA-5IqiN2ru6P6SaJxDGDLlp3dtoAe4bqOtvz448NbZjNhOfynnruGt2n6T-JvfUPh9XhiBw8TQYHjQAQpF_lLWtGy9QuKmdEJ2gNVEQ", "e": "AQAB", "kid": "k-RS512"}"#,
        "eyJhbGciOiJSUzUxMiIsImtpZCI6ImstUlM1MTIiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.ZfNiUBa0JLLk-dFPdaEg_GH77Mz26z3H8z_Y65-En1zcLL30YXM91nMfVgtPC5pNBleRsoMG-iXPJoLJCDLJMuNdwTRtioAM2fS5SQRbaywZu8STxCNfC8gtneIj0trgF9w6Z4zflJ1TdaDzq42Yhc-RaAiSiF1oU9Mmg5H1ZSoSOBeTT7NUWXD6wYChUJCDUYfANDzr6Tcca6eVR_pDaGxq6HqREU5VDkpBHODtamGnDbZl2ty0vcMQmuoWCvZKU-u6RVkV6mPCQP1C7kO7hluM731ZgY-ydUfO23kbEUUo20xcurOX7ZXGxJhWIZj7X9wuUrxw7HIy-fpMNV7yxw",
    ),
    (
        "PS256",
        r#"{"kty": "RSA", "n": "4cab86xtUzkHrtGhvDyWfgmTifNeMXMcACx-iJZN8dH8DcFB4aRq6qmWz_ZBtbDxZc2nXGF5cc9Z8PsOVCNzn-bwRxqZP4DqyTN4AnVlJJ-TesCXHsL315Iy_BV0TFWfU0XlDvb9bB56yMDBoSWg6JsSafjYNI0MgiIwCm5YJfNJLd5Fhj9QE2GE33LxnEsXxNorbqNgDg1swyHez1e5bu8BYH7xMwNGGoZQDpkoJGTvqVLA-5IqiN2ru6P6SaJxDGDLlp3dtoAe4bqOtvz448NbZjNhOfynnruGt2n6T-JvfUPh9XhiBw8TQYHjQAQpF_lLWtGy9QuKmdEJ2gNVEQ", "e": "AQAB", "kid": "k-PS256"}"#,
        "eyJhbGciOiJQUzI1NiIsImtpZCI6ImstUFMyNTYiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.UESEUlXQvhLQ8TZr8GCMVJ9gcaf-rNq6Waq1obwakptCIzPHKTNLD4_EcVF9iXb30EbIM0aZnnRN0FSn9M_F7VBx3DcJOCPrRsNkLEpsfUNq-wAM4QoWHD5jwACH-_gUqVOTbTf2naHD9k6_75pZgp_0-xEmw-FxhceWhfxCXkDl2jLnk1DKSCGJEbvKTk4EchtX2HGJwcSXr9BSKgPXf41gMCvevxLX0YpZkoGjN_UF5SI7_n1g2CKAaOwMLqa810BEge_EYkDmf0ccOGzKAteqtr5JDRbPBUHznJ_StRVrXqzr2jNWl-lqqWS57I2Ta07uLM8TChFCupFfHLj_0g",
    ),
    (
        "PS384",
        r#"{"kty": "RSA", "n": "4cab86xtUzkHrtGhvDyWfgmTifNeMXMcACx-iJZN8dH8DcFB4aRq6qmWz_ZBtbDxZc2nXGF5cc9Z8PsOVCNzn-bwRxqZP4DqyTN4AnVlJJ-TesCXHsL315Iy_BV0TFWfU0XlDvb9bB56yMDBoSWg6JsSafjYNI0MgiIwCm5YJfNJLd5Fhj9QE2GE33LxnEsXxNorbqNgDg1swyHez1e5bu8BYH7xMwNGGoZQDpkoJGTvqVLA-5IqiN2ru6P6SaJxDGDLlp3dtoAe4bqOtvz448NbZjNhOfynnruGt2n6T-JvfUPh9XhiBw8TQYHjQAQpF_lLWtGy9QuKmdEJ2gNVEQ", "e": "AQAB", "kid": "k-PS384"}"#,
        "eyJhbGciOiJQUzM4NCIsImtpZCI6ImstUFMzODQiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.TLmuvfUmfXVgCC98lHwbs8qRNs8sHTZ5781tr_wCcyC8sAFc9hgg2kZrnpILrBpT-ykwor609ofRikpcu4wNw5AcJ5Fhb57y7dv2J5AX8nHHZK0epZjPm-ZlKAeTS6mQMmnGExAz-UQyPis_8oVjdrZ8PdYeYCK2BgoC1Vi1X01CzZrZYH_C7aYRDloYDKQgmhgGxZnMOPpS6dsZmbGEBU94V2rwrJd5ORfUw2iEcldspgQI1XbQtsUwdybvJghJ2vxK0Avmnat3SasXY3N4fWC9-X-rEItzFOmV9iSt2Qq7CrLelhhADFU4Pk9A-z1BI6Sodd0NZue5PfI2QpxktQ",
    ),
    (
        "PS512",
        r#"{"kty": "RSA", "n": "4cab86xtUzkHrtGhvDyWfgmTifNeMXMcACx-iJZN8dH8DcFB4aRq6qmWz_ZBtbDxZc2nXGF5cc9Z8PsOVCNzn-bwRxqZP4DqyTN4AnVlJJ-TesCXHsL315Iy_BV0TFWfU0XlDvb9bB56yMDBoSWg6JsSafjYNI0MgiIwCm5YJfNJLd5Fhj9QE2GE33LxnEsXxNorbqNgDg1swyHez1e5bu8BYH7xMwNGGoZQDpkoJGTvqVLA-5IqiN2ru6P6SaJxDGDLlp3dtoAe4bqOtvz448NbZjNhOfynnruGt2n6T-JvfUPh9XhiBw8TQYHjQAQpF_lLWtGy9QuKmdEJ2gNVEQ", "e": "AQAB", "kid": "k-PS512"}"#,
        "eyJhbGciOiJQUzUxMiIsImtpZCI6ImstUFM1MTIiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.K6hpeNnVSlQK0EPUi0To31Vhc2C9MX4KFz31WHNACaqWgQn3IrStWbYOEDu8Y5g-BOQFRdE4w_Oif5-_OTtVDa_1A8EHelm7GhnqoywHE4im7caJ5jGIdk631817xSnnqu5QWdqAEItX7uhCwHugykg3A4LoCNqC5EmT1Av8B6O0VaAV1PQEZRruS0r0EWCt9zbuAkwNW4cPQr0VrEvy63UEA1H7gkYB0_AzxV4mBaTNfFGj0UAk2hg2yhjUNXUUYfBUjMx5n7XdqR5exSdLTrAZUmNi9LPMvxaN_37dIIKYXRMNWf_Krvjo8PQ5ZjkKX9OXKypmBvUaUxaD8RNtww",
    ),
    (
        "ES256",
        r#"{"kty": "EC", "crv": "P-256", "x": "_do2WGykBJRdKNIarTXJX4foiCPQyf7_9ZEKYkbYf34", "y": "FX0s8WTJeAuewBh7ftqdK9jtm28V_NHguNBQfegOeAg", "kid": "k-ES256"}"#,
        "eyJhbGciOiJFUzI1NiIsImtpZCI6ImstRVMyNTYiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.0jDoSHPuoRLlo5WkdmKMbpp1wlR6DXhLPG3ysZRTHwg7MZ06oz7xZZ5gM3vZx088HOf3Gcefyh1t6j9Jp6hbLQ",
    ),
    (
        "ES384",
        r#"{"kty": "EC", "crv": "P-384", "x": "MXebRLerNbSsZIKAH1yiozHFWx2n7s3_QFVzSCC1lPLf_WSb1FVaPafvEwzOne70", "y": "n1Wu237fayt742deWneVY8mS_pLiGN_N5xVAfllL152dCWBiE4Mjfe3rT2KS-FJF", "kid": "k-ES384"}"#,
        "eyJhbGciOiJFUzM4NCIsImtpZCI6ImstRVMzODQiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.5A9VFoJo28Z8d8ARnae5X2VpDYQikVbbEKHs9GLKPZvnwvrbfnAesmrxOYBLR8alXFGYRQHoinHfjWd5utkGHUQMs5_eGjK4tbkL7W6gPAheOZNQXV7pL8B4wORGGdYK",
    ),
    (
        "EdDSA",
        r#"{"x": "ZOxBlCVEnylcHcLPozlhpObL7clUA2YXy0CWAxSbFAU", "kty": "OKP", "crv": "Ed25519", "kid": "k-EdDSA"}"#,
        "eyJhbGciOiJFZERTQSIsImtpZCI6ImstRWREU0EiLCJ0eXAiOiJhdCtqd3QifQ.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.iBrSprW57Pj2yIyHRHwG6VMelsJG80jwH40Ax7_UsbavQjnWhmFyxaPosgbFXGS_4JVnz7zO38KY6mezHzGrAg",
    ),
];

/// HS256 with the secret of 32 bytes `0123456789abcdef0123456789abcdef`.
pub(crate) const HS256: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwiYXVkIjpbImh0dHBzOi8vYXBpLmV4YW1wbGUiLCJvdGhlciJdLCJzdWIiOiJ1c2VyLTEiLCJleHAiOjIwMDAwMDAwMDAsImlhdCI6MTAwMDAwMDAwMCwic2NvcGUiOiJhIGIifQ.xWsjBA-uMV6-lj7BqOxMAEoJb65tP5rjfmr3Iq9oD-k";
