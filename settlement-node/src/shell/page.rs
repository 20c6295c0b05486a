//! The status page: one plain page an operator reads in ten seconds, without scripts.

use std::fmt::Write as _;

use super::http::StatusView;
use crate::view::Balances;

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;\
color:#1a1a1a;background:#fff}h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .7rem;border-bottom:1px solid #ddd}\
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.good{color:#0a6b2d}.bad{color:#b00020;font-weight:600}\
code{font-size:.85em;overflow-wrap:anywhere}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#151515}th,td{border-color:#444}.good{color:#6fdc8c}.bad{color:#ff8389}}";

/// Renders the page. It asks the browser to load it again every five seconds.
pub(super) fn render(status: &StatusView, balances: &Balances) -> String {
    let mut page = String::with_capacity(8 << 10);
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"refresh\" content=\"5\"><title>Node {node} - {network}</title>\
         <style>{STYLE}</style></head><body><h1>Node {node} <small>{bic}</small></h1>",
        node = status.node,
        network = escape(&status.network),
        bic = escape(&status.bic),
    );
    headline(&mut page, status);
    facts(&mut page, status);
    peers(&mut page, status);
    money(&mut page, balances);
    page.push_str("</body></html>\n");
    page
}

fn headline(page: &mut String, status: &StatusView) {
    let (class, text) = match (status.leader, status.conserved) {
        (_, false) => {
            ("bad", "Balances do not add up to what was issued. Stop and investigate.".to_owned())
        }
        (None, _) => ("bad", "No leader: nothing is being settled.".to_owned()),
        (Some(leader), true) if leader == status.node => {
            ("good", "This node leads; payments are being settled.".to_owned())
        }
        (Some(leader), true) => ("good", format!("Node {leader} leads; this node follows.")),
    };
    let _ = write!(page, "<p class=\"{class}\" id=\"headline\">{text}</p>");
}

fn facts(page: &mut String, status: &StatusView) {
    page.push_str("<h2>Ledger</h2><table>");
    let mut row = |name: &str, value: &str| {
        let _ = write!(page, "<tr><th>{name}</th><td>{value}</td></tr>");
    };
    row("Height", &status.height.to_string());
    row("Settled per second", &status.settled_per_second.to_string());
    row("Settled / refused", &format!("{} / {}", status.settled, status.refused));
    row(
        "Open / waiting submissions",
        &format!("{} / {}", status.open_submissions, status.waiting_submissions),
    );
    row("Role, term", &format!("{}, {}", status.role, status.term));
    row("Applied / committed", &format!("{} / {}", status.applied_index, status.commit_index));
    row("Log", &format!("{} records, root <code>{}</code>", status.leaves, status.log_root));
    let at = match (status.final_height, status.final_leaves) {
        (Some(height), Some(leaves)) => format!("up to block {height}, {leaves} records"),
        _ => "nothing yet".to_owned(),
    };
    row("Final", &at);
    row("Abused signatures found", &status.evidence.to_string());
    row("State root", &format!("<code>{}</code>", status.state_root));
    row("Network", &format!("{} <code>{}</code>", escape(&status.network), status.network_id));
    page.push_str("</table>");
}

fn peers(page: &mut String, status: &StatusView) {
    page.push_str(
        "<h2>Other nodes</h2><table><tr><th>Node</th><th>Bank</th><th>Link</th>\
         <th class=\"n\">Behind</th><th class=\"n\">Round trip</th></tr>",
    );
    for peer in &status.peers {
        let (class, link) = if peer.connected { ("good", "connected") } else { ("bad", "down") };
        let lag = peer.lag.map_or_else(|| "-".to_owned(), |lag| lag.to_string());
        let _ = write!(
            page,
            "<tr><td>{}</td><td>{}</td><td class=\"{class}\">{link}</td>\
             <td class=\"n\">{lag}</td><td class=\"n\">{:.1} ms</td></tr>",
            peer.id,
            escape(&peer.bic),
            peer.rtt_us as f64 / 1000.0,
        );
    }
    page.push_str("</table>");
}

/// Accounts shown on the page; the JSON interface has all of them.
const ACCOUNTS_SHOWN: usize = 200;

fn money(page: &mut String, balances: &Balances) {
    page.push_str(
        "<h2>Assets</h2><table><tr><th>Asset</th><th class=\"n\">Issued</th>\
         <th class=\"n\">Redeemed</th><th class=\"n\">Sum of accounts</th><th></th></tr>",
    );
    for asset in &balances.assets {
        let (class, verdict) =
            if asset.conserved { ("good", "adds up") } else { ("bad", "does not add up") };
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"{class}\">{verdict}</td></tr>",
            escape(&asset.code),
            decimal(&asset.issued, asset.exponent),
            decimal(&asset.redeemed, asset.exponent),
            decimal(&asset.sum_of_posted, asset.exponent),
        );
    }
    page.push_str(
        "</table><h2>Accounts</h2><table><tr><th>Account</th><th class=\"n\">Posted</th>\
         <th class=\"n\">Available</th><th>Status</th></tr>",
    );
    for account in balances.accounts.iter().take(ACCOUNTS_SHOWN) {
        let code = account.account.split('/').nth(1).unwrap_or_default();
        let exponent = balances.assets.iter().find(|asset| asset.code == code);
        let exponent = exponent.map_or(0, |asset| asset.exponent);
        let _ = write!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&account.account),
            decimal(&account.posted, exponent),
            decimal(&account.available, exponent),
            escape(&account.status),
        );
    }
    page.push_str("</table>");
    if balances.accounts.len() > ACCOUNTS_SHOWN {
        let _ = write!(
            page,
            "<p>The first {ACCOUNTS_SHOWN} of {} accounts; all of them: <a href=\"/v1/balances\">JSON</a>.</p>",
            balances.accounts.len()
        );
    }
}

/// Minor units as a decimal with thousands separated by thin spaces.
fn decimal(minor: &str, exponent: u8) -> String {
    let (sign, digits) = match minor.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", minor),
    };
    let exponent = usize::from(exponent);
    let padded = format!("{digits:0>width$}", width = exponent + 1);
    let (whole, fraction) = padded.split_at(padded.len() - exponent);
    let mut grouped = String::with_capacity(whole.len() * 2);
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    if exponent == 0 { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{fraction}") }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_units_read_as_decimals() {
        assert_eq!(decimal("0", 2), "0.00");
        assert_eq!(decimal("-5", 2), "-0.05");
        assert_eq!(decimal("1234567", 0), "1\u{202f}234\u{202f}567");
        assert_eq!(decimal("123456789", 2), "1\u{202f}234\u{202f}567.89");
    }

    #[test]
    fn names_cannot_become_markup() {
        assert_eq!(escape("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
    }
}
