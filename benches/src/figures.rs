//! Results that criterion does not measure.

use std::path::PathBuf;
use std::{env, fs};

use serde_json::json;

/// Where figures are written: `figures` in this package's target folder.
#[must_use]
pub fn folder() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"),
        PathBuf::from,
    );
    target.join("figures")
}

/// Writes a figure down, in place of an earlier one of this name, and says so.
///
/// # Panics
///
/// Where the file can't be written.
pub fn record(name: &str, value: f64, unit: &str) {
    let folder = folder();
    fs::create_dir_all(&folder).expect("the folder of figures can be made");
    let figure = json!({ "name": name, "value": value, "unit": unit });
    let path = folder.join(format!("{name}.json"));
    fs::write(path, format!("{figure}\n")).expect("a figure can be written");
    println!("{name}: {value} {unit}");
}

/// How often this thread asks the allocator for memory while it runs this.
#[cfg(feature = "count-allocations")]
pub fn allocations(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).count_total
}
