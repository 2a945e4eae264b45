//! Links as QR codes (ISO/IEC 18004), in the terminal and as SVG.

use std::path::Path;

use anyhow::{Context as _, Result};
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::{ECL, QRBuilder, QRCode};

/// Draws the code by half blocks, dark on light whatever the terminal's colours: two rows of modules a line.
pub fn terminal(text: &str) -> Result<String> {
    let code = code(text)?;
    let size = code.size as i32;
    // The quiet zone of four modules (section 9.1).
    let dark = |x: i32, y: i32| {
        let inside = (0..size).contains(&x) && (0..size).contains(&y);
        inside && code[y as usize][x as usize].value()
    };
    let mut lines = String::new();
    for y in (-4..size + 4).step_by(2) {
        lines.push_str("\x1b[30;107m");
        for x in -4..size + 4 {
            lines.push(match (dark(x, y), dark(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        lines.push_str("\x1b[0m\n");
    }
    Ok(lines)
}

/// Writes the code into a file.
pub fn svg(text: &str, file: &Path) -> Result<()> {
    let svg = SvgBuilder::default().to_str(&code(text)?);
    std::fs::write(file, svg).with_context(|| format!("cannot write {}", file.display()))
}

fn code(text: &str) -> Result<QRCode> {
    // The lowest level of correction: a screen has no scratches, and larger modules are read better.
    let code = QRBuilder::new(text).ecl(ECL::L).build();
    code.map_err(|error| anyhow::anyhow!("the link does not fit into a QR code: {error}"))
}
