use super::Scope;

/// A type that stands for one scope, so that a handler's signature can name what it needs.
///
/// Made by [`scopes!`](crate::scopes).
pub trait ScopeMarker: Send + Sync + 'static {
    /// The scope that the type stands for.
    const SCOPE: &'static Scope;
}

/// Makes a unit type for each scope named, and implements [`ScopeMarker`](crate::scope::ScopeMarker) for it.
///
/// A malformed scope is a compile error, whether or not its type is ever used.
///
/// ```
/// use gatewright_core::scope::ScopeMarker;
///
/// gatewright_core::scopes! {
///     /// May see links.
///     pub LinksRead = "links.read";
///     /// May see everything that is counted.
///     pub Analytics = "analytics.*";
/// }
///
/// assert_eq!(LinksRead::SCOPE.as_str(), "links.read");
/// ```
///
/// ```compile_fail,E0080
/// gatewright_core::scopes! {
///     LinksRead = "links read";
/// }
/// ```
#[macro_export]
macro_rules! scopes {
    ($($(#[$attribute:meta])* $visibility:vis $name:ident = $scope:literal;)*) => {$(
        $(#[$attribute])*
        #[doc = ""]
        #[doc = ::core::concat!("Stands for the scope `", $scope, "`.")]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #[non_exhaustive]
        $visibility struct $name;

        // A free constant is evaluated even if nothing uses it; an associated one is not.
        const _: () = {
            // Named as the type is, since the compiler names the constant when it refuses the scope.
            #[allow(non_upper_case_globals)]
            const $name: &$crate::scope::Scope = &$crate::scope::Scope::from_static($scope);

            impl $crate::scope::ScopeMarker for $name {
                const SCOPE: &'static $crate::scope::Scope = $name;
            }
        };
    )*};
}
