//! The authorization-server half of Gatewright: mint, rotate and revoke credentials, sign access tokens.
