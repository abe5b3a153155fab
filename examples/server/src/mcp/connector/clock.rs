//! The connector `clock`.

use jiff::Timestamp as Moment;
use serde::Deserialize;
use serde_json::json;

use super::kind::ConnectorTool;
use crate::mcp::server::{NoArguments, read};
use crate::web::{Failure, rfc3339};

pub(super) const TOOLS: &[ConnectorTool] = &[
    ConnectorTool {
        name: "time_now",
        description: "Say what time it is, in UTC.",
        arguments: || json!({"type": "object", "additionalProperties": false}),
        run: |arguments, now| {
            let NoArguments {} = read(arguments)?;
            Ok(json!({"time": rfc3339(now), "unix": now}))
        },
    },
    ConnectorTool {
        name: "seconds_between",
        description: "Count the seconds from one time to another.",
        arguments: || {
            let time = json!({"type": "string", "format": "date-time"});
            json!({
                "type": "object",
                "required": ["from", "to"],
                "properties": {"from": time, "to": time},
                "additionalProperties": false,
            })
        },
        run: |arguments, _| {
            let Between { from, to } = read(arguments)?;
            let (from, to) = (moment("from", &from)?, moment("to", &to)?);
            let seconds = to.as_second().saturating_sub(from.as_second());
            Ok(json!({"seconds": seconds}))
        },
    },
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Between {
    from: String,
    to: String,
}

fn moment(argument: &str, text: &str) -> Result<Moment, Failure> {
    text.parse()
        .map_err(|_| Failure::out_of_range(argument, "must be a time as RFC 3339 writes it"))
}
