//! The reference of a message that could not be read, for the answer to name it.
//!
//! What is not well-formed has no elements, so this is a plain search for the text of a start tag. It may be
//! wrong about hostile input; the reference is only ever shown back to whoever sent it.

/// How much of the input is searched, in bytes: references stand near the start.
pub(crate) const SEARCHED_BYTES_MAX: usize = 64 * 1024;
/// Longest reference in characters (Max35Text).
pub(crate) const REFERENCE_TEXT_CHARS_MAX: usize = 35;

/// `BizMsgIdr`, else `MsgId`, of the first such tag with a usable content.
pub(crate) fn search(bytes: &[u8]) -> Option<String> {
    let searched = &bytes[..bytes.len().min(SEARCHED_BYTES_MAX)];
    ["BizMsgIdr", "MsgId"].into_iter().find_map(|name| content_of(searched, name.as_bytes()))
}

/// The text after the first start tag of this local name, up to the next tag.
fn content_of(bytes: &[u8], name: &[u8]) -> Option<String> {
    let mut rest = bytes;
    loop {
        let at = rest.windows(name.len()).position(|window| window == name)?;
        let starts_name = at > 0 && matches!(rest[at - 1], b'<' | b':');
        rest = &rest[at + name.len()..];
        if starts_name && rest.first() == Some(&b'>') {
            let content = &rest[1..];
            let end = content.iter().position(|&byte| byte == b'<')?;
            return usable(&content[..end]);
        }
    }
}

fn usable(content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok()?.trim();
    let short = (1..=REFERENCE_TEXT_CHARS_MAX).contains(&text.chars().count());
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    (short && plain && !text.contains('&')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_in_broken_input() {
        let found = |text: &str| search(text.as_bytes());
        assert_eq!(found("<GrpHdr><MsgId>M-1</MsgId><oops"), Some("M-1".to_owned()));
        assert_eq!(found("<p:MsgId> M-1 </p:MsgId>"), Some("M-1".to_owned()));
        assert_eq!(
            found("<MsgId>M-1</MsgId><h:BizMsgIdr>B-1</h:BizMsgIdr>"),
            Some("B-1".to_owned())
        );
        assert_eq!(found("<OrgnlMsgId>M-0</OrgnlMsgId>"), None);
        assert_eq!(found("<MsgId>M-1"), None);
        assert_eq!(found("<MsgId></MsgId>"), None);
        assert_eq!(found(&format!("<MsgId>{}</MsgId>", "x".repeat(36))), None);
        assert_eq!(found("<MsgId>a&lt;</MsgId>"), None);
        assert_eq!(found(""), None);
        assert_eq!(search(b"\xff<MsgId>\xff</MsgId>"), None);
    }
}
