//! Gatewright as a tower layer for any http 1.x service.
