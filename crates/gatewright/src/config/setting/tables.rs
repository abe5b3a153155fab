//! The macro that declares the tables of a configuration.

/// Declares tables of the configuration: the struct that users see, its defaults, how it is read and compared, and its
/// part of the reference, so that none of them can differ from the others.
macro_rules! tables {
    ($(
        $(#[doc = $about:literal])+
        $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $field:ident: $type:ty $(= $default:expr)? $(, in $least:literal ..= $most:literal)? $(, unit $unit:literal)?;
            )+
        }
    )+) => {$(
        $(#[doc = $about])+
        #[derive(Debug)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: tables!(@default $($default)?),)+ }
            }
        }

        impl $crate::config::setting::Setting for $name {
            #[cfg(test)]
            fn type_name() -> String {
                "table".to_owned()
            }

            #[cfg(test)]
            fn describe(at: &str, into: &mut Vec<String>) {
                let mut rows = String::new();
                $(
                    let default = tables!(@shown $type $(, $default)?);
                    let unit: &[&str] = &[$($unit)?];
                    let range = [$(($least, $most))?].map(|(least, most): (u64, u64)| format!(" {least} to {most}.")).concat();
                    let doc = [$($doc),+].concat();
                    let kind = <$type as $crate::config::setting::Setting>::type_name();
                    let field = stringify!($field);
                    let unit = unit.first().unwrap_or(&"–");
                    rows.push_str(&format!("| `{field}` | {kind} | {unit} | {default} |{doc}{range} |\n"));
                )+
                let heading = if at.is_empty() { "the root".to_owned() } else { format!("`{at}`") };
                into.push(format!("| {heading} | type | unit | default | |\n|---|---|---|---|---|\n{rows}"));
                let dot = if at.is_empty() { "" } else { "." };
                $(<$type as $crate::config::setting::Setting>::describe(
                    &format!("{at}{dot}{}", stringify!($field)), into,
                );)+
            }

            fn read(
                node: $crate::config::tree::Node,
                _: $crate::config::setting::Bounds,
                at: &$crate::config::Path,
                notes: &mut $crate::config::mistake::Notes,
            ) -> Option<Self> {
                let placeholder = Self::default();
                let Some(mut fields) = $crate::config::setting::Fields::open(node, at, notes) else {
                    return Some(placeholder);
                };
                let read = Self {$(
                    $field: fields
                        .take(stringify!($field), tables!(@required $($default)?), tables!(@bounds $($least $most)?), notes)
                        .unwrap_or(placeholder.$field),
                )+};
                fields.close(notes);
                Some(read)
            }

            fn check_range(
                &self,
                _: $crate::config::setting::Bounds,
                at: &$crate::config::Path,
                notes: &mut $crate::config::mistake::Notes,
            ) {
                $($crate::config::setting::Setting::check_range(
                    &self.$field, tables!(@bounds $($least $most)?), &at.field(stringify!($field)), notes,
                );)+
            }

            fn differences(&self, other: &Self, at: &$crate::config::Path, found: &mut Vec<$crate::config::Path>) {
                $($crate::config::setting::Setting::differences(
                    &self.$field, &other.$field, &at.field(stringify!($field)), found,
                );)+
            }
        }
    )+};
    (@default $default:expr) => { $default };
    // Never used: that a required field was not given is a mistake.
    (@default) => { Default::default() };
    (@required $default:expr) => { false };
    (@required) => { true };
    (@shown $type:ty, $default:expr) => {{
        let default: $type = $default;
        $crate::config::setting::Setting::shown(&default)
    }};
    (@shown $type:ty) => { "required".to_owned() };
    (@bounds $least:literal $most:literal) => { $crate::config::setting::Bounds::new($least, $most) };
    (@bounds) => { $crate::config::setting::Bounds::NONE };
}

pub(in crate::config) use tables;
