//! A handler behind a gate.

use std::rc::Rc;

use actix_web::dev::{ServiceRequest, ServiceResponse, fn_service};
use actix_web::{Error, FromRequest, Handler, HttpResponse, Responder, Route, web};

use crate::guard::Guard;

/// Makes the route of a handler once its guard is known; each worker has its own.
pub(crate) type Attach = Box<dyn Fn(&Guard) -> Route + Send + Sync>;

/// A handler that waits for its guard.
pub(crate) fn attach<H, Args>(handler: H) -> Attach
where
    H: Handler<Args> + Send + Sync,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    Box::new(move |guard| {
        // Each worker's own, so that none writes a count of references that the others write.
        let (guard, handler) = (Rc::new(guard.clone()), handler.clone());
        // A service and not middleware around one: actix boxes nothing more for it.
        web::route().service(fn_service(move |request| {
            serve(Rc::clone(&guard), handler.clone(), request)
        }))
    })
}

async fn serve<H, Args>(
    guard: Rc<Guard>,
    handler: H,
    request: ServiceRequest,
) -> Result<ServiceResponse, Error>
where
    H: Handler<Args>,
    Args: FromRequest,
    H::Output: Responder + 'static,
{
    let (request, mut payload) = request.into_parts();
    let response = match guard.judge(&request).await {
        Ok(after) => {
            let answered = match Args::from_request(&request, &mut payload).await {
                Ok(args) => handler
                    .call(args)
                    .await
                    .respond_to(&request)
                    .map_into_boxed_body(),
                Err(error) => HttpResponse::from_error(error),
            };
            after.finish_boxed(answered)
        }
        Err(response) => response,
    };
    Ok(ServiceResponse::new(request, response))
}
