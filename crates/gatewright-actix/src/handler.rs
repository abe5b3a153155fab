//! A handler behind a gate.

use std::rc::Rc;

use actix_web::dev::{ServiceRequest, ServiceResponse, fn_service};
use actix_web::{Error, FromRequest, Handler, HttpResponse, Responder, Route, web};

use crate::guard::{After, Guard};

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
        // A service and not middleware around one: actix boxes nothing more for it. A block and no `async fn`, which would keep
        // its arguments twice: actix moves it about.
        web::route().service(fn_service(move |mut request: ServiceRequest| {
            let (guard, handler) = (Rc::clone(&guard), handler.clone());
            async move {
                let mut after = After::new(guard.policy.standing(), request.request());
                if let Err(response) = guard.admit(request.request(), &mut after).await {
                    return Ok(answer(request, response));
                }
                let (parts, payload) = request.parts_mut();
                let mut answered = match Args::from_request(parts, payload).await {
                    Ok(args) => handler
                        .call(args)
                        .await
                        .respond_to(request.request())
                        .map_into_boxed_body(),
                    Err(error) => HttpResponse::from_error(error),
                };
                after.finish_boxed(request.request(), &mut answered);
                Ok::<_, Error>(answer(request, answered))
            }
        }))
    })
}

fn answer(request: ServiceRequest, response: HttpResponse) -> ServiceResponse {
    let (request, _) = request.into_parts();
    ServiceResponse::new(request, response)
}
