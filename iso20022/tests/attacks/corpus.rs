//! The attacks, each with the rule that must refuse it.

use std::fmt::Write;

const HEAD: &str =
    "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\"><FIToFICstmrCdtTrf>";
const TAIL: &str = "</FIToFICstmrCdtTrf></Document>";

/// A message with this inside.
pub(crate) fn message(inner: &str) -> String {
    format!("{HEAD}{inner}{TAIL}")
}

type Attack = (&'static str, Vec<u8>, &'static str);

/// All attacks.
pub(crate) fn corpus() -> Vec<Attack> {
    let mut all: Vec<Attack> = Vec::new();
    all.extend(entities());
    all.extend(sizes());
    all.extend(encodings());
    all.extend(names_and_namespaces());
    all.extend(structure());
    all
}

fn text(name: &'static str, text: impl Into<String>, rule: &'static str) -> Attack {
    (name, text.into().into_bytes(), rule)
}

fn entities() -> Vec<Attack> {
    let mut laughs = String::from("<!DOCTYPE lolz [<!ENTITY l0 \"lol\">");
    for n in 1..=9 {
        let _ = write!(laughs, "<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10));
    }
    laughs.push_str("]>");
    let blow = format!("<!DOCTYPE a [<!ENTITY a \"{}\">]>", "a".repeat(50_000));
    vec![
        text("billion laughs", format!("{laughs}{}", message("&l9;")), "xml.doctype"),
        text(
            "quadratic blow-up",
            format!("{blow}{}", message(&"&a;".repeat(50_000))),
            "xml.doctype",
        ),
        text(
            "external entity",
            format!("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>{}", message("&x;")),
            "xml.doctype",
        ),
        text(
            "external subset",
            format!("<!DOCTYPE Document SYSTEM \"http://a.example/x.dtd\">{}", message("")),
            "xml.doctype",
        ),
        text(
            "parameter entity",
            format!("<!DOCTYPE a [<!ENTITY % x SYSTEM \"http://a.example/\">%x;]>{}", message("")),
            "xml.doctype",
        ),
        text("empty DOCTYPE", format!("<!DOCTYPE Document>{}", message("")), "xml.doctype"),
        text("DOCTYPE inside", message("<!DOCTYPE a>"), "xml.doctype"),
        text("entity that nobody declared", message("<GrpHdr>&xxe;</GrpHdr>"), "xml.entity"),
        text("entity in an attribute", message("<GrpHdr a=\"&xxe;\"/>"), "xml.entity"),
        text(
            "millions of references, the last one bad",
            message(&format!("<GrpHdr>{}&no;</GrpHdr>", "&amp;".repeat(200_000))),
            "xml.entity",
        ),
        text("reference to a forbidden character", message("&#0;"), "xml.entity"),
        text("reference to half a character", message("&#xD800;"), "xml.entity"),
        text("reference beyond all characters", message("&#x110000;"), "xml.entity"),
        text(
            "reference with a huge number",
            message(&format!("&#{};", "9".repeat(500_000))),
            "xml.entity",
        ),
        text(
            "reference without an end",
            message(&format!("&{}", "a".repeat(500_000))),
            "xml.entity",
        ),
    ]
}

fn sizes() -> Vec<Attack> {
    let wide: String = (0..200_000).map(|n| format!(" a{n}=''")).collect();
    let below: String = (0..100_000).map(|n| format!(" a{n}=''")).collect();
    let spread = (0..20_000).map(|n| format!("<a{n} a='' b='' c='' d=''/>")).collect::<String>();
    let declared: String = (0..33).map(|n| format!(" xmlns:p{n}='urn:{n}'")).collect();
    let scopes: String = (0..30)
        .map(|n| {
            (0..30)
                .fold(format!("<a{n}"), |text, p| text + &format!(" xmlns:p{n}x{p}='urn:{n}:{p}'"))
                + ">"
        })
        .collect();
    let carried: String = (0..28).map(|n| format!(" xmlns:p{n}='urn:{n}'")).collect();
    let carried = format!("<Document{carried}{}", &HEAD["<Document".len()..]);
    let data = "<SplmtryData><Envlp><a/></Envlp></SplmtryData>";
    vec![
        text("deep wrappers", "<a>".repeat(100_000), "limit.depth"),
        text("deep message", message(&"<a>".repeat(300_000)), "limit.depth"),
        text(
            "deep data under a wildcard",
            message(&format!("<SplmtryData><Envlp>{}", "<a>".repeat(50))),
            "limit.depth",
        ),
        text("millions of elements", message(&"<a/>".repeat(2_000_000)), "limit.bytes"),
        text("a quarter of a million elements", message(&"<a/>".repeat(250_000)), "limit.elements"),
        text(
            "as many around the message",
            format!("<E>{}</E>", "<a/>".repeat(250_000)),
            "limit.elements",
        ),
        text(
            "as many under a wildcard",
            message(&format!("<SplmtryData><Envlp><b>{}", "<a/>".repeat(250_000))),
            "limit.elements",
        ),
        text("millions of attributes", format!("<Document{wide}/>"), "limit.bytes"),
        text("a hundred thousand attributes", format!("<Document{below}/>"), "limit.attributes"),
        text("attributes on many elements", message(&spread), "limit.attributes"),
        text("many declarations on one element", format!("<E{declared}/>"), "limit.attributes"),
        text("many declarations in scope", scopes, "limit.namespaces"),
        text(
            "declarations copied under wildcards",
            format!("{carried}{}{TAIL}", data.repeat(20_000)),
            "limit.namespaces",
        ),
        text("huge text", message(&"x".repeat(5 << 20)), "limit.bytes"),
        text("huge attribute", format!("<Document a='{}'/>", "x".repeat(5 << 20)), "limit.bytes"),
        text("huge name", format!("<{0}></{0}>", "x".repeat(500_000)), "xml.absent"),
        text(
            "huge comment without end",
            message(&format!("<!--{}", "- ".repeat(500_000))),
            "xml.well-formed",
        ),
        text(
            "huge CDATA without end",
            message(&format!("<![CDATA[{}", "]]".repeat(500_000))),
            "xml.well-formed",
        ),
        text(
            "many comments, the last without end",
            message(&format!("{}<!--", "<!---->".repeat(140_000))),
            "xml.well-formed",
        ),
        text(
            "many instructions, the last without end",
            message(&format!("{}<?", "<?a?>".repeat(200_000))),
            "xml.well-formed",
        ),
        text(
            "attribute value without end",
            format!("<Document a=\"{}", "x' ".repeat(300_000)),
            "xml.well-formed",
        ),
        text("many quotes", format!("<Document {}", "''\"\"".repeat(250_000)), "xml.well-formed"),
        text(
            "many prefixes looked up",
            format!(
                "<E{}>{}</F>",
                (0..31).map(|n| format!(" xmlns:p{n}='u{n}'")).collect::<String>(),
                "<p0:a/>".repeat(50_000)
            ),
            "xml.well-formed",
        ),
        text("nothing but `<`", "<".repeat(1_000_000), "xml.well-formed"),
        text("nothing but `&`", format!("<a>{}", "&".repeat(1_000_000)), "xml.entity"),
        text("nothing but white space", " \n".repeat(500_000), "xml.well-formed"),
    ]
}

fn encodings() -> Vec<Attack> {
    let whole = message("<GrpHdr/>");
    let wide = |unit: fn(u16) -> [u8; 2]| whole.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let marked = |mark: &[u8], rest: Vec<u8>| [mark, &rest[..]].concat();
    let with = |bytes: &[u8]| {
        [HEAD.as_bytes(), b"<GrpHdr>", bytes, b"</GrpHdr>", TAIL.as_bytes()].concat()
    };
    let declared = |name: &str| format!("<?xml version=\"1.0\" encoding=\"{name}\"?>{whole}");
    vec![
        ("UTF-16, little end first", marked(&[0xFF, 0xFE], wide(u16::to_le_bytes)), "xml.encoding"),
        ("UTF-16, big end first", marked(&[0xFE, 0xFF], wide(u16::to_be_bytes)), "xml.encoding"),
        ("UTF-16 without a mark", wide(u16::to_le_bytes), "xml.character"),
        (
            "UTF-32",
            marked(
                &[0xFF, 0xFE, 0, 0],
                whole.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
            ),
            "xml.encoding",
        ),
        text("UTF-7 declared", declared("UTF-7"), "xml.encoding"),
        text("UTF-7 in fact", "+ADw-Document+AD4-", "xml.well-formed"),
        text("UTF-16 declared, but not so", declared("UTF-16"), "xml.encoding"),
        text("Latin declared", declared("ISO-8859-1"), "xml.encoding"),
        text("EBCDIC declared", declared("IBM037"), "xml.encoding"),
        ("Latin in fact", with(&[b'Z', 0xFC]), "xml.encoding"),
        ("overlong `<`", with(&[0xC0, 0xBC]), "xml.encoding"),
        ("overlong NUL", with(&[0xC0, 0x80]), "xml.encoding"),
        ("overlong slash in three bytes", with(&[0xE0, 0x80, 0xAF]), "xml.encoding"),
        ("half a surrogate pair", with(&[0xED, 0xA0, 0x80]), "xml.encoding"),
        ("beyond all characters", with(&[0xF4, 0x90, 0x80, 0x80]), "xml.encoding"),
        ("half a character at the end", [whole.as_bytes(), &[0xE2, 0x82]].concat(), "xml.encoding"),
        ("NUL in text", with(&[b'a', 0, b'b']), "xml.character"),
        ("NUL behind the message", [whole.as_bytes(), &[0]].concat(), "xml.character"),
        ("escape character", with(&[0x1B]), "xml.character"),
        ("U+FFFE", with("\u{FFFE}".as_bytes()), "xml.character"),
        (
            "two byte order marks",
            marked(&[0xEF, 0xBB, 0xBF, 0xEF, 0xBB, 0xBF], whole.clone().into_bytes()),
            "xml.well-formed",
        ),
    ]
}

fn names_and_namespaces() -> Vec<Attack> {
    let root = |attributes: &str| {
        format!("<Document {attributes} xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\"/>")
    };
    vec![
        text("an attribute twice", root("a='1' a='2'"), "xml.attribute"),
        text(
            "an attribute twice by two prefixes",
            root("xmlns:p='u' xmlns:q='u' p:a='' q:a=''"),
            "xml.attribute",
        ),
        text("a declaration twice", root("xmlns='urn:x'"), "xml.attribute"),
        text("a prefix that nobody declared", root("p:a=''"), "xml.namespace"),
        text("an element's prefix that nobody declared", message("<p:GrpHdr/>"), "xml.namespace"),
        text("the prefix `xml` taken over", root("xmlns:xml='urn:x'"), "xml.namespace"),
        text("the prefix `xmlns` taken over", root("xmlns:xmlns='urn:x'"), "xml.namespace"),
        text(
            "another prefix for `xml`",
            root("xmlns:p='http://www.w3.org/XML/1998/namespace'"),
            "xml.namespace",
        ),
        text("a prefix for nothing", root("xmlns:p=''"), "xml.namespace"),
        text("a name with two colons", message("<a:b:c/>"), "xml.name"),
        text("a name that starts with a digit", message("<1a/>"), "xml.name"),
        text("an attribute without quotes", root("a=b"), "xml.attribute"),
        text("an attribute without value", root("a"), "xml.attribute"),
        text("`<` in an attribute", root("a='<'"), "xml.attribute"),
        text(
            "a version that does not exist",
            message("").replace("001.08", "001.99"),
            "xml.unknown-namespace",
        ),
        text(
            "a namespace of no message",
            message("").replace("pacs.008.001.08", "none"),
            "xml.unknown-namespace",
        ),
        text(
            "a namespace with an invisible character",
            message("").replace("pacs.008", "pacs.\u{200B}008"),
            "xml.unknown-namespace",
        ),
        text("no message at all", "<Envelope/>", "xml.absent"),
    ]
}

fn structure() -> Vec<Attack> {
    let whole = message("");
    let header = "<AppHdr xmlns=\"urn:iso:std:iso:20022:tech:xsd:head.001.001.02\"/>";
    vec![
        text("nothing", "", "xml.well-formed"),
        text("two roots", format!("{whole}{whole}"), "xml.well-formed"),
        text("two documents", format!("<E>{whole}{whole}</E>"), "xml.repeated"),
        text("two headers", format!("<E>{header}{header}{whole}</E>"), "xml.repeated"),
        text("text behind the root", format!("{whole}x"), "xml.well-formed"),
        text("text before the root", format!("x{whole}"), "xml.well-formed"),
        text(
            "a declaration in the middle",
            format!("<!-- -->{}{whole}", "<?xml version='1.0'?>"),
            "xml.declaration",
        ),
        text(
            "a declaration of nonsense",
            format!("<?xml version='1.0' hello='1'?>{whole}"),
            "xml.declaration",
        ),
        text("an instruction named xml", message("<?XML a?>"), "xml.well-formed"),
        text("tags that cross", message("<a><b></a></b>"), "xml.well-formed"),
        text("an end tag too many", format!("{whole}</Document>"), "xml.well-formed"),
        text("an end tag too few", HEAD, "xml.well-formed"),
        text("a comment with dashes", message("<!-- a -- b -->"), "xml.well-formed"),
        text("the end of CDATA in text", message("]]>"), "xml.well-formed"),
        text("a conditional section", message("<![INCLUDE[]]>"), "xml.well-formed"),
        text("an element declaration", message("<!ELEMENT a ANY>"), "xml.well-formed"),
    ]
}
