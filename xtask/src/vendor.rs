//! `cargo xtask vendor`: fetches the libraries of the web page, and writes down what they are.
//!
//! Invariant: `web/vendor` holds what `vendor.toml` lists, byte for byte, and nothing else; `tidy` checks that without a
//! network. Nothing is built: a library is taken as its author published it, but for the names by which it imports others,
//! and the icons, which are put into one module.

use crate::steps::{Outcome, output, program, root, run};
mod icons;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Where the libraries lie, from the root of the repository.
const FOLDER: &str = "web/vendor";

/// Where the icons lie, in [`FOLDER`].
const ICON_FOLDER: &str = "lucide";

/// A package of npm, and what the page takes of it.
struct Package {
    name: &'static str,
    version: &'static str,
    licence: &'static str,
    /// Its folder in `web/vendor`.
    folder: &'static str,
    /// Paths inside the package.
    files: &'static [&'static str],
    /// What it imports by a bare name, and the file that is meant: a page without a build step has no such names.
    imports: &'static [(&'static str, &'static str)],
}

/// Everything that is fetched. A new version: change it here, run `cargo xtask vendor`, look at the difference.
const PACKAGES: &[Package] = &[
    Package {
        name: "preact",
        version: "11.2.0",
        licence: "MIT",
        folder: "preact",
        files: &["LICENSE", "dist/preact.mjs", "hooks/dist/hooks.mjs"],
        imports: &[("preact", "./preact.mjs")],
    },
    Package {
        name: "@preact/signals-core",
        version: "1.14.5",
        licence: "MIT",
        folder: "signals-core",
        files: &["LICENSE", "dist/signals-core.mjs"],
        imports: &[],
    },
    Package {
        name: "@preact/signals",
        version: "2.11.4",
        licence: "MIT",
        folder: "signals",
        files: &["LICENSE", "dist/signals.mjs"],
        imports: &[
            ("preact", "../preact/preact.mjs"),
            ("preact/hooks", "../preact/hooks.mjs"),
            ("@preact/signals-core", "../signals-core/signals-core.mjs"),
        ],
    },
    Package {
        name: "htm",
        version: "3.1.1",
        licence: "Apache-2.0",
        folder: "htm",
        files: &["LICENSE", "dist/htm.mjs"],
        imports: &[],
    },
    Package {
        name: "uplot",
        version: "1.6.32",
        licence: "MIT",
        folder: "uplot",
        files: &["LICENSE", "dist/uPlot.esm.js", "dist/uPlot.min.css"],
        imports: &[],
    },
    // Its icons are named by the page: see [`icons`].
    Package {
        name: "lucide",
        version: "1.65.0",
        licence: "ISC",
        folder: ICON_FOLDER,
        files: &["LICENSE"],
        imports: &[],
    },
];

/// Fetches all of it by npm, and writes `vendor.toml`.
///
/// # Errors
/// Where npm or tar fail, a package has another licence than is said here, or a file is not in it.
pub fn vendor() -> Outcome {
    let work = std::env::temp_dir().join(format!("compeer-vendor-{}", std::process::id()));
    let outcome = fetch(&work);
    // What is left of a failure is in the way of nobody.
    let _ = std::fs::remove_dir_all(&work);
    outcome
}

fn fetch(work: &Path) -> Outcome {
    let folder = root().join(FOLDER);
    let mut record = String::from(
        "# What is in this folder, written by `cargo xtask vendor` and checked by `cargo xtask tidy`. Each package was fetched \
         by\n# `npm pack NAME@VERSION` and taken as it was published, but for the imports that are listed, and the icons.\n",
    );
    std::fs::create_dir_all(work).map_err(|error| format!("{}: {error}", work.display()))?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    for package in PACKAGES {
        let place = work.join(package.folder);
        std::fs::create_dir_all(&place).map_err(|error| format!("{}: {error}", place.display()))?;
        let spec = format!("{}@{}", package.name, package.version);
        let archive = output(program("npm").args(["pack", "--silent", "--pack-destination"]).arg(work).arg(&spec))?;
        let archive = work.join(archive.trim());
        run(program("tar").arg("xzf").arg(&archive).arg("-C").arg(&place))?;
        take(package, &place.join("package"), &folder.join(package.folder), &mut record)?;
        println!("{spec}");
    }
    let path = folder.join("vendor.toml");
    std::fs::write(&path, record).map_err(|error| format!("{}: {error}", path.display()))
}

/// Copies what the page takes of a package.
fn take(package: &Package, from: &Path, to: &Path, record: &mut String) -> Outcome {
    let manifest = read(&from.join("package.json"))?;
    let licence: String = manifest.chars().filter(|c| !c.is_whitespace()).collect();
    if !licence.contains(&format!("\"license\":\"{}\"", package.licence)) {
        return Err(format!("{} is not under {} any more: look whether it may be used", package.name, package.licence));
    }
    std::fs::create_dir_all(to).map_err(|error| format!("{}: {error}", to.display()))?;
    let _ = write!(
        record,
        "\n[[package]]\nname = \"{}\"\nversion = \"{}\"\nlicence = \"{}\"\nfetched = \"npm pack {}@{}\"\n",
        package.name, package.version, package.licence, package.name, package.version
    );
    for (bare, file) in package.imports {
        let _ = writeln!(record, "# \"{bare}\" became \"{file}\"");
    }
    for file in package.files {
        let mut text = read(&from.join(file))?;
        for (bare, path) in package.imports {
            text = text.replace(&format!("from\"{bare}\""), &format!("from\"{path}\""));
        }
        let name = file.rsplit('/').next().unwrap_or(file);
        keep(package, to, name, file, &text, record)?;
    }
    if package.folder == ICON_FOLDER {
        record.push_str("\n# The drawings of these icons, each as it was published, in one module: one request instead of a hundred.\n");
        keep(
            package,
            to,
            "icons.mjs",
            "dist/esm/icons/*.mjs",
            &icons::module(package, &from.join("dist/esm/icons"))?,
            record,
        )?;
    }
    Ok(())
}

/// Writes a file of a package, and what it is.
fn keep(package: &Package, to: &Path, name: &str, from: &str, text: &str, record: &mut String) -> Outcome {
    let path = to.join(name);
    std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    let hash = sha256(&[path])?.remove(0);
    let _ = write!(
        record,
        "\n[[file]]\npath = \"{}/{name}\"\nfrom = \"{}@{}/{from}\"\nsha256 = \"{hash}\"\n",
        package.folder, package.name, package.version
    );
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Hashes files by the program `sha256sum`; the standard library has no SHA-256.
fn sha256(paths: &[PathBuf]) -> Result<Vec<String>, String> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let listing = output(program("sha256sum").args(paths))?;
    Ok(listing.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// Compares `web/vendor` with `vendor.toml`; -> what is wrong with which file.
///
/// # Errors
/// Where the list cannot be read, or `sha256sum` fails.
pub fn check() -> Result<Vec<(String, String)>, String> {
    let folder = root().join(FOLDER);
    let listed = listed(&read(&folder.join("vendor.toml"))?);
    let pairs = listed.iter().map(|(path, hash)| (path, hash));
    let (there, gone): (Vec<_>, Vec<_>) = pairs.partition(|(path, _)| folder.join(path).is_file());
    let mut wrong: Vec<(String, String)> =
        gone.into_iter().map(|(path, _)| finding(path, "is listed, but not there: run `cargo xtask vendor`")).collect();
    let hashes = sha256(&there.iter().map(|(path, _)| folder.join(path)).collect::<Vec<_>>())?;
    for (&(path, wanted), hash) in there.iter().zip(&hashes) {
        if wanted != hash {
            wrong.push(finding(
                path,
                "was changed here: what is vendored stays as it was published; `cargo xtask vendor`",
            ));
        }
    }
    for path in files(&folder)? {
        let name = path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if name != "vendor.toml" && !listed.iter().any(|(path, _)| *path == name) {
            wrong.push(finding(&name, "is not listed: name it in xtask/src/vendor.rs and run `cargo xtask vendor`"));
        }
    }
    Ok(wrong)
}

fn finding(path: &str, words: &str) -> (String, String) {
    (format!("{FOLDER}/{path}"), words.to_owned())
}

/// Reads paths and hashes out of a `vendor.toml`.
fn listed(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(path) = value(line, "path") {
            found.push((path, String::new()));
        } else if let (Some(hash), Some(last)) = (value(line, "sha256"), found.last_mut()) {
            last.1 = hash;
        }
    }
    found
}

/// The text of a `key = "text"`.
fn value(line: &str, key: &str) -> Option<String> {
    Some(line.strip_prefix(key)?.trim_start().strip_prefix('=')?.trim().trim_matches('"').to_owned())
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry.map_err(|error| error.to_string())?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_as_it_is_written() {
        let text =
            "# x\n[[package]]\nname = \"a\"\n\n[[file]]\npath = \"a/b.js\"\nfrom = \"a@1/b.js\"\nsha256 = \"00ff\"\n";
        assert_eq!(listed(text), [("a/b.js".to_owned(), "00ff".to_owned())]);
    }

    #[test]
    fn what_is_vendored_is_as_it_was_published() {
        assert_eq!(check().unwrap(), []);
    }

    #[test]
    fn every_package_has_a_licence_beside_it() {
        for package in PACKAGES {
            assert!(package.files.contains(&"LICENSE"), "{}", package.name);
        }
    }
}
