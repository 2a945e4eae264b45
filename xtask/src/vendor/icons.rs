//! The icons of the page: those of Lucide that it draws, each as it was published, in one module.

use super::Package;
use std::fmt::Write as _;
use std::path::Path;

/// The icons of the page, by Lucide's names.
const ICONS: &[&str] = &[
    "arrow-down",
    "arrow-down-up",
    "arrow-up",
    "arrow-up-down",
    "ban",
    "bell",
    "bell-off",
    "check",
    "check-check",
    "chevron-down",
    "chevron-left",
    "chevron-right",
    "circle-alert",
    "circle-arrow-down",
    "circle-arrow-up",
    "circle-check",
    "circle-pause",
    "circle-x",
    "clock",
    "code",
    "copy",
    "download",
    "ellipsis",
    "eye",
    "file",
    "file-archive",
    "file-image",
    "file-music",
    "file-text",
    "film",
    "folder",
    "folder-open",
    "folder-plus",
    "gauge",
    "globe",
    "handshake",
    "hash",
    "hourglass",
    "house",
    "inbox",
    "info",
    "key",
    "library",
    "link",
    "list-checks",
    "loader-circle",
    "lock",
    "log-out",
    "magnet",
    "mail",
    "menu",
    "message-circle",
    "monitor",
    "monitor-smartphone",
    "moon",
    "network",
    "paperclip",
    "pause",
    "pencil",
    "play",
    "plus",
    "qr-code",
    "refresh-cw",
    "reply",
    "rotate-ccw",
    "search",
    "send",
    "server",
    "settings",
    "share-2",
    "shield",
    "sliders-horizontal",
    "sun",
    "tag",
    "thumbs-up",
    "trash",
    "upload",
    "user",
    "user-plus",
    "users",
    "waypoints",
    "wifi-off",
    "x",
];

/// Puts the chosen icons into one module: an object of drawings by their names.
pub(super) fn module(package: &Package, from: &Path) -> Result<String, String> {
    let mut module = format!(
        "/**\n * @license {} v{} - {}\n *\n * This source code is licensed under the {} license.\n * See the LICENSE file \
         beside it.\n */\n\nexport default {{\n",
        package.name, package.version, package.licence, package.licence
    );
    for icon in ICONS {
        let path = from.join(format!("{icon}.mjs"));
        let drawing = drawing(&super::read(&path)?).ok_or_else(|| {
            format!("{}: it is not written as the icons were so far; look at it, and at `drawing`", path.display())
        })?;
        let _ = writeln!(module, "\"{icon}\": {drawing},");
    }
    module.push_str("};\n");
    Ok(module)
}

/// Cuts the drawing out of an icon's module, which is `const Name = […];` and `export { Name as default };`.
fn drawing(module: &str) -> Option<String> {
    let (_, after) = module.split_once("\nconst ")?;
    let (_, value) = after.split_once(" = ")?;
    let (drawing, rest) = value.split_once(";\n")?;
    (drawing.starts_with('[') && drawing.ends_with(']') && rest.trim_start().starts_with("export {"))
        .then(|| drawing.to_owned())
}

#[cfg(test)]
mod tests {
    use super::drawing;

    #[test]
    fn a_drawing_is_cut_out_of_its_module() {
        let module = "/**\n * @license\n */\n\nconst X = [\n  [\"path\", { d: \"M18 6\" }]\n];\n\nexport { X as default };\n//# x";
        assert_eq!(drawing(module).as_deref(), Some("[\n  [\"path\", { d: \"M18 6\" }]\n]"));
        assert_eq!(drawing(&module.replace("export {", "import {")), None);
        assert_eq!(drawing("export default 1;"), None);
    }
}
