//! What a run left behind.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

/// Every result of a run: times by `group/bench`, in nanoseconds, and figures by name.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    times: BTreeMap<String, f64>,
    figures: BTreeMap<String, Figure>,
}

/// A result that criterion did not measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: String,
}

impl Measured {
    /// Reads what criterion and the other programs wrote under this folder. What is not there was not measured.
    ///
    /// # Errors
    ///
    /// An I/O error where a file is there and can't be read, or holds something else.
    pub fn read(target: &Path) -> io::Result<Self> {
        let mut measured = Self::default();
        for group in folder(&target.join("criterion"))? {
            for bench in folder(&group)? {
                let estimates = bench.join("new/estimates.json");
                if estimates.is_file() {
                    let name = format!("{}/{}", name(&group), name(&bench));
                    let median = json(&estimates)?["median"]["point_estimate"].as_f64();
                    let median = median.ok_or_else(|| odd(&estimates))?;
                    measured.times.insert(name, median);
                }
            }
        }
        for file in folder(&target.join("figures"))? {
            if file
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let text = json(&file)?;
                let (Some(name), Some(value), Some(unit)) = (
                    text["name"].as_str(),
                    text["value"].as_f64(),
                    text["unit"].as_str(),
                ) else {
                    return Err(odd(&file));
                };
                measured.put(name, value, unit);
            }
        }
        measured.instructions(&target.join("gungraun"))?;
        Ok(measured)
    }

    /// The median of a benchmark, in nanoseconds, named `group/bench`.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<f64> {
        self.times.get(name).copied()
    }

    /// A figure.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.get(name)
    }

    /// The figures whose names begin so, by their names without that.
    pub fn figures<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Figure)> {
        self.figures
            .iter()
            .filter_map(move |(name, figure)| Some((name.strip_prefix(prefix)?, figure)))
    }

    /// Takes what valgrind counted, wherever under this folder, as figures `instructions_<function>_<id>`.
    fn instructions(&mut self, path: &Path) -> io::Result<()> {
        for path in folder(path)? {
            if path.is_dir() {
                self.instructions(&path)?;
            } else if name(&path) == "summary.json" {
                let summary = json(&path)?;
                let profiles = summary["profiles"].as_array().into_iter().flatten();
                let counted = profiles
                    .filter_map(|profile| {
                        profile["data"]["total"]["metrics"]["Ir"]["values"]["new"].as_f64()
                    })
                    .next();
                let (Some(function), Some(counted)) = (summary["function_name"].as_str(), counted)
                else {
                    return Err(odd(&path));
                };
                let id = summary["id"].as_str().unwrap_or_default();
                let name = format!("instructions_{function}_{id}");
                self.put(name.trim_end_matches('_'), counted, "");
            }
        }
        Ok(())
    }

    fn put(&mut self, name: &str, value: f64, unit: &str) {
        let unit = unit.to_owned();
        self.figures.insert(name.to_owned(), Figure { value, unit });
    }
}

/// What is in a folder; nothing, where there is none.
fn folder(path: &Path) -> io::Result<Vec<std::path::PathBuf>> {
    if !path.is_dir() {
        return Ok(Vec::new());
    }
    fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect()
}

fn name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

fn json(path: &Path) -> io::Result<Value> {
    serde_json::from_slice(&fs::read(path)?).map_err(|_| odd(path))
}

fn odd(path: &Path) -> io::Error {
    let message = format!("{} is not a result", path.display());
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
impl Measured {
    pub(super) fn of(times: &[(&str, f64)], figures: &[(&str, f64, &str)]) -> Self {
        let mut measured = Self::default();
        for (name, nanoseconds) in times {
            measured.times.insert((*name).to_owned(), *nanoseconds);
        }
        for (name, value, unit) in figures {
            measured.put(name, *value, unit);
        }
        measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_found_by_group_and_name_and_the_rest_is_passed_over() {
        let target = std::env::temp_dir().join(format!("measured-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = target.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let estimates = r#"{"mean":{"point_estimate":9.0},"median":{"point_estimate":41.5}}"#;
        write("criterion/gate/warm/new/estimates.json", estimates);
        write("criterion/gate/report/index.html", "");
        write("criterion/report/index.html", "");
        write(
            "figures/memory_key.json",
            r#"{"name":"memory_key","value":412,"unit":"bytes"}"#,
        );
        let summary = r#"{"function_name":"warm","id":"pat","profiles":[{"tool":"Callgrind",
            "data":{"total":{"metrics":{"Ir":{"values":{"new":612,"old":640}}}}}}]}"#;
        write("gungraun/benches/gate/warm.pat/summary.json", summary);
        let measured = Measured::read(&target);
        write("figures/other.json", "{}");
        let odd = Measured::read(&target);
        fs::remove_dir_all(&target).unwrap();

        let measured = measured.unwrap();
        assert_eq!(measured.time("gate/warm"), Some(41.5));
        assert_eq!(measured.time("gate/cold"), None);
        assert_eq!(measured.figure("memory_key").unwrap().value, 412.0);
        assert_eq!(
            measured.figure("instructions_warm_pat").unwrap().value,
            612.0
        );
        assert_eq!(measured.figures("memory_").count(), 1);
        assert!(odd.unwrap_err().to_string().contains("other.json"));
    }

    #[test]
    fn nothing_measured_is_no_mistake() {
        let nowhere = Measured::read(Path::new("/nonexistent")).unwrap();
        assert_eq!(nowhere.figures("").count(), 0);
    }
}
