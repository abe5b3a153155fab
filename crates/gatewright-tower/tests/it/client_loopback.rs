//! Real servers on this machine, and reqwest as the client that calls them.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use gatewright_tower::client::Origin;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::{BoxError, Service};

pub(crate) type Answer = Response<Full<Bytes>>;

/// Serves `answer` until the test ends; its URL without a path.
pub(crate) async fn serve<F, B>(
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) -> String
where
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                // A client that hangs up is none of the test's business.
                let _ = http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    url
}

pub(crate) fn origin(url: &str) -> Origin {
    url.parse().unwrap()
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Answer {
    let response = Response::builder().status(status);
    response.body(Full::new(body.into())).unwrap()
}

pub(crate) async fn text<B: Body<Error: std::fmt::Debug>>(body: B) -> String {
    let bytes = body.collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// reqwest as a service of http requests, whatever bytes are in them.
#[derive(Clone, Debug)]
pub(crate) struct Reqwest(reqwest::Client);

impl Reqwest {
    pub(crate) fn new() -> Self {
        let builder = reqwest::Client::builder().no_proxy();
        let policy = reqwest::redirect::Policy::none();
        Self(builder.redirect(policy).build().unwrap())
    }
}

impl<B> Service<Request<B>> for Reqwest
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
{
    type Response = Response<reqwest::Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap));
        let client = self.0.clone();
        Box::pin(async move { Ok(Response::from(client.execute(request?).await?)) })
    }
}
