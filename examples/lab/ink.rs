//! The strokes that the drawings are made of.

/// Adds an element.
pub(crate) fn put(svg: &mut String, element: &str) {
    svg.push_str(element);
    svg.push('\n');
}

pub(crate) fn text(svg: &mut String, class: &str, x: i32, y: i32, anchor: &str, text: &str) {
    let text = escape(text);
    put(svg, &format!(r#"<text class="{class}" x="{x}" y="{y}" text-anchor="{anchor}">{text}</text>"#));
}

pub(crate) fn line(svg: &mut String, class: &str, from: (i32, i32), to: (i32, i32)) {
    put(svg, &format!(r#"<path class="{class}" d="M{} {}L{} {}"/>"#, from.0, from.1, to.0, to.1));
}

/// A line with a tip.
pub(crate) fn arrow(svg: &mut String, class: &str, from: (i32, i32), to: (i32, i32)) {
    let (x, y) = (f64::from(to.0), f64::from(to.1));
    let (right, down) = (x - f64::from(from.0), y - f64::from(from.1));
    let length = right.hypot(down).max(1.0);
    let (right, down) = (right / length, down / length);
    let (base_x, base_y) = (x - 10.0 * right, y - 10.0 * down);
    put(svg, &format!(r#"<path class="{class}" d="M{} {}L{base_x:.1} {base_y:.1}"/>"#, from.0, from.1));
    let (wing_x, wing_y) = (4.5 * down, 4.5 * right);
    let tip = format!(
        "M{x} {y}L{:.1} {:.1}L{:.1} {:.1}Z",
        base_x + wing_x,
        base_y - wing_y,
        base_x - wing_x,
        base_y + wing_y
    );
    put(svg, &format!(r#"<path class="{class} tip" d="{tip}"/>"#));
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A number in groups of three.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Breaks a text at blanks.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
