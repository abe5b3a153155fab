//! The client credentials grant: what is asked of the token endpoint.

use std::error::Error;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gatewright_core::credential::Secret;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;
use zeroize::Zeroizing;

use super::presented::Presented;
use super::{ConfigError, Origin, Tokens};

/// A registered client and the token endpoint that knows it (RFC 6749 §4.4).
///
/// The client authenticates by HTTP Basic, with id and secret encoded as RFC 6749 §2.3.1 has it.
pub struct ClientCredentials {
    endpoint: Uri,
    basic: Presented,
    /// Parameters as they are sent, each with its `&`.
    scope: String,
    resources: String,
}

impl ClientCredentials {
    /// The client of this id and secret at the token endpoint of this URL, which is `https` or on this machine.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAnEndpoint`], [`ConfigError::PlainHttp`] and [`ConfigError::EmptyCredential`].
    pub fn new(endpoint: &str, id: &str, secret: &Secret) -> Result<Self, ConfigError> {
        let (uri, origin) = read_endpoint(endpoint)?;
        if origin.is_plain() {
            return Err(ConfigError::PlainHttp);
        }
        Self::at(uri, id, secret)
    }

    /// The same over plain `http` to any machine, where whoever is on the way reads the secret and the tokens.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotAnEndpoint`] and [`ConfigError::EmptyCredential`].
    pub fn insecure_http(endpoint: &str, id: &str, secret: &Secret) -> Result<Self, ConfigError> {
        Self::at(read_endpoint(endpoint)?.0, id, secret)
    }

    /// Asks for these scopes and no others, separated by spaces (RFC 6749 §3.3). Without it the client gets those it is
    /// registered for.
    #[must_use]
    pub fn with_scope(mut self, scope: &str) -> Self {
        self.scope.clear();
        push_parameter(&mut self.scope, "scope", scope);
        self
    }

    /// Asks for tokens for this resource (RFC 8707 §2); may be given several times.
    #[must_use]
    pub fn with_resource(mut self, resource: &str) -> Self {
        push_parameter(&mut self.resources, "resource", resource);
        self
    }

    /// The tokens that `service` fetches for this client.
    ///
    /// The service must not follow redirects. It is cloned for each request and should be another than the one that
    /// calls the API if that limits how many calls are under way: the calls wait for the token.
    pub fn tokens<S, B>(self, service: S) -> Tokens
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<Box<dyn Error + Send + Sync>>,
        S::Future: Send + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        Tokens::new(self, service)
    }

    pub(super) fn request(&self) -> Request<Full<Bytes>> {
        let form = [
            "grant_type=client_credentials",
            &self.scope,
            &self.resources,
        ]
        .concat();
        let mut request = Request::new(Full::from(form));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        self.basic.put(headers);
        request
    }

    fn at(endpoint: Uri, id: &str, secret: &Secret) -> Result<Self, ConfigError> {
        if id.is_empty() || secret.expose().is_empty() {
            return Err(ConfigError::EmptyCredential);
        }
        // Sized beforehand: a string that grows leaves copies of itself behind.
        let mut pair = Zeroizing::new(String::with_capacity(
            3 * (id.len() + secret.expose().len()) + 1,
        ));
        push_encoded(&mut pair, id);
        pair.push(':');
        push_encoded(&mut pair, secret.expose());
        let basic = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        Ok(Self {
            endpoint,
            basic: Presented::basic(&basic)?,
            scope: String::new(),
            resources: String::new(),
        })
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some endpoints have a key in their query.
        let endpoint = self.endpoint.to_string();
        let (endpoint, _) = endpoint.split_once('?').unwrap_or((&endpoint, ""));
        f.debug_struct("ClientCredentials")
            .field("endpoint", &endpoint)
            .field("basic", &self.basic)
            .field("scope", &self.scope)
            .field("resources", &self.resources)
            .finish()
    }
}

fn read_endpoint(text: &str) -> Result<(Uri, Origin), ConfigError> {
    // `Uri` drops a fragment silently.
    if text.contains('#') {
        return Err(ConfigError::NotAnEndpoint);
    }
    let uri: Uri = text.parse().map_err(|_| ConfigError::NotAnEndpoint)?;
    let origin = Origin::of(&uri).ok_or(ConfigError::NotAnEndpoint)?;
    Ok((uri, origin))
}

fn push_parameter(into: &mut String, name: &str, value: &str) {
    into.extend(["&", name, "="]);
    push_encoded(into, value);
}

/// `application/x-www-form-urlencoded` of one name or value (RFC 6749 appendix B).
fn push_encoded(into: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                into.push(char::from(byte));
            }
            b' ' => into.push('+'),
            _ => {
                let digit = |nibble: u8| char::from(HEX[usize::from(nibble & 0xf)]);
                into.extend(['%', digit(byte >> 4), digit(byte)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;
    use http_body_util::BodyExt as _;

    use super::*;

    const ENDPOINT: &str = "https://as.example.com/oauth/token";

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    /// RFC 6749 appendix B's own example of the encoding, in a scope.
    #[test]
    fn form_encoding_of_the_standards_example() {
        let mut encoded = String::new();
        push_encoded(&mut encoded, " %&+£€");
        assert_eq!(encoded, "+%25%26%2B%C2%A3%E2%82%AC");
    }

    #[test]
    fn id_and_secret_are_encoded_before_base64() {
        let client = ClientCredentials::new(ENDPOINT, "a:b", &secret("s e+é")).unwrap();
        let request = client.request();
        let field = &request.headers()[AUTHORIZATION];
        assert!(field.is_sensitive());
        let encoded = field.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let pair = STANDARD.decode(encoded).unwrap();
        assert_eq!(pair, b"a%3Ab:s+e%2B%C3%A9");
    }

    /// RFC 6749 §3.2 has no parameter twice; RFC 8707 §2 makes `resource` the exception.
    #[tokio::test]
    async fn the_scope_is_sent_once_and_resources_as_often_as_given() {
        let client = ClientCredentials::new(ENDPOINT, "id", &secret("s")).unwrap();
        let client = client.with_scope("a").with_resource("x:a");
        let client = client.with_resource("x:b").with_scope("b c");
        let body = client.request().into_body().collect().await.unwrap();
        assert_eq!(
            body.to_bytes(),
            "grant_type=client_credentials&scope=b+c&resource=x%3Aa&resource=x%3Ab"
        );
    }

    #[test]
    fn which_endpoints_are_refused() {
        use ConfigError::{EmptyCredential, NotAnEndpoint, PlainHttp};
        let new = |endpoint, id, text| {
            let made = ClientCredentials::new(endpoint, id, &secret(text)).map(|_| ());
            assert!(!format!("{made:?}").contains("hunter2"));
            made
        };
        assert_eq!(new(ENDPOINT, "id", "hunter2"), Ok(()));
        assert_eq!(new("http://127.0.0.1:9/token?a=b", "id", "hunter2"), Ok(()));
        assert_eq!(
            new("http://as.example.com/", "id", "hunter2"),
            Err(PlainHttp)
        );
        assert_eq!(new(ENDPOINT, "", "hunter2"), Err(EmptyCredential));
        assert_eq!(new(ENDPOINT, "id", ""), Err(EmptyCredential));
        for endpoint in [
            "/token",
            "ftp://a/",
            "https://u:hunter2@a/",
            "https://a/#f",
            "hunter2",
        ] {
            assert_eq!(
                new(endpoint, "id", "hunter2"),
                Err(NotAnEndpoint),
                "{endpoint}"
            );
        }
        assert!(ClientCredentials::insecure_http("http://as/", "id", &secret("s")).is_ok());
    }
}
