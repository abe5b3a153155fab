//! Remote trust: the key sets of identity providers, found by discovery or by URL, and token introspection.
