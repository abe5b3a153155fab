//! The connector `text`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::kind::ConnectorTool;
use crate::mcp::server::read;

pub(super) const TOOLS: &[ConnectorTool] = &[
    ConnectorTool {
        name: "echo",
        description: "Say the text again.",
        arguments: one_text,
        run: |arguments, _| {
            let Text { text } = read(arguments)?;
            Ok(json!({"text": text}))
        },
    },
    ConnectorTool {
        name: "word_count",
        description: "Count the words, lines and characters of a text.",
        arguments: one_text,
        run: |arguments, _| {
            let Text { text } = read(arguments)?;
            Ok(json!({
                "words": text.split_whitespace().count(),
                "lines": text.lines().count(),
                "characters": text.chars().count(),
            }))
        },
    },
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    text: String,
}

fn one_text() -> Value {
    json!({
        "type": "object",
        "required": ["text"],
        "properties": {"text": {"type": "string"}},
        "additionalProperties": false,
    })
}
