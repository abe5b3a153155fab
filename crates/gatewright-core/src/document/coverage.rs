//! The endpoint coverage map: which credential goes where.

use serde_json::{Value, json};

use crate::policy::{RouteRow, RouteTable};

/// The map for programs, `{"routes": […]}`: each of the table's [rows](RouteTable::rows).
#[must_use]
pub fn coverage(table: &RouteTable) -> Value {
    json!({ "routes": table.rows() })
}

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1b1f24;background:#fff}\
table{border-collapse:collapse;width:100%}\
th,td{text-align:left;vertical-align:top;padding:.35rem .7rem;border-bottom:1px solid #d0d7de}\
th{position:sticky;top:0;background:#f6f8fa}\
code{font:13px/1.5 ui-monospace,monospace;overflow-wrap:anywhere}\
ul{list-style:none;margin:0;padding:0}\
.public{background:#fff8c5}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}th{background:#161b22}\
th,td{border-color:#30363d}.public{background:#3b2f00}}";

/// The map for people: one page of HTML, complete in itself. It has no script, loads nothing and holds one `style` element, so
/// `default-src 'none'; style-src 'unsafe-inline'` is policy enough for it.
#[must_use]
pub fn coverage_page(table: &RouteTable) -> String {
    let rows = table.rows();
    let public = rows.iter().filter(|row| row.public).count();
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Endpoint coverage</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>Endpoint coverage</h1>\n\
         <p>{} routes, {public} of them open to callers without a credential.</p>\n\
         <table>\n<thead><tr><th scope=\"col\">Method</th><th scope=\"col\">Path</th>\
         <th scope=\"col\">Realm</th><th scope=\"col\">Who may call</th></tr></thead>\n<tbody>\n",
        rows.len(),
    );
    for row in rows {
        let class = if row.public { " class=\"public\"" } else { "" };
        page.push_str(&format!(
            "<tr{class}><td><code>{}</code></td><td><code>{}</code></td><td>{}</td><td><ul>{}</ul></td></tr>\n",
            escaped(&row.method),
            escaped(&row.path),
            escaped(&row.realm),
            who(row),
        ));
    }
    page.push_str("</tbody>\n</table>\n</body>\n</html>\n");
    page
}

fn who(row: &RouteRow) -> String {
    let mut items = String::new();
    for alternative in &row.modes {
        items.push_str(&format!("<li><code>{}</code>", escaped(alternative.mode)));
        if let Some(role) = &alternative.role {
            items.push_str(&format!(", role <code>{}</code> or higher", escaped(role)));
        }
        for scope in &alternative.scopes {
            items.push_str(&format!(", scope <code>{}</code>", escaped(scope)));
        }
        if let Some(feature) = &alternative.feature {
            let feature = escaped(feature);
            items.push_str(&format!(", plan with <code>{feature}</code>"));
        }
        if let Some(tenant) = &row.tenant {
            let tenant = escaped(tenant);
            items.push_str(&format!(", in <code>{{{tenant}}}</code>"));
        }
        if let Some(tenant) = &row.tenant_query {
            let tenant = escaped(tenant);
            items.push_str(&format!(", in <code>?{tenant}=</code>"));
        }
        items.push_str("</li>");
    }
    if row.public {
        items.push_str("<li>anybody</li>");
    }
    items
}

/// Text between tags. Nothing of the table is ever put into an attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
