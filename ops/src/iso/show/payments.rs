//! Payments and what is said about them: transfers, returns, statuses, recalls, orders.

use iso20022::views::{
    CancellationRequest, CreditTransfer, DirectDebit, Initiation, InitiationStatus,
    LiquidityTransfer, Reason, Resolution, Return, Status, StatusRequest, Transaction,
    TransactionStatus, agent_bic,
};
use iso20022::{Message, Node};

use super::{PARTS_MAX, Page, money, plain, said};

/// Tells a message about payments; false for any other.
pub(super) fn show(message: &Message, page: &mut Page) -> bool {
    if let Some(view) = CreditTransfer::of(message) {
        transfer(&view, page);
    } else if let Some(view) = Return::of(message) {
        returned(&view, page);
    } else if let Some(view) = Status::of(message) {
        status(&view, page);
    } else if let Some(view) = DirectDebit::of(message) {
        debit(&view, page);
    } else if let Some(view) = StatusRequest::of(message) {
        request(&view, page);
    } else if let Some(view) = CancellationRequest::of(message) {
        recall(&view, page);
    } else if let Some(view) = Resolution::of(message) {
        resolution(&view, page);
    } else if let Some(view) = LiquidityTransfer::of(message) {
        liquidity(&view, page);
    } else if let Some(view) = Initiation::of(message) {
        initiation(&view, page);
    } else if let Some(view) = InitiationStatus::of(message) {
        initiation_status(&view, page);
    } else {
        return false;
    }
    true
}

fn message_row(page: &mut Page, id: Option<&str>, time: Option<&str>, count: Option<u64>) {
    let count =
        count.map(|count| format!("{count} transaction{}", if count == 1 { "" } else { "s" }));
    page.row("message", &[plain(id), said("at", time), count]);
}

/// The first line of one transaction.
fn head(page: &mut Page, index: usize, parts: &[Option<String>]) {
    let known: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    page.line(2, &format!("{}. {}", index + 1, known.join(", ")));
}

fn transfer(view: &CreditTransfer<'_>, page: &mut Page) {
    let count = view.number_of_transactions();
    message_row(page, view.msg_id(), view.creation_time(), count);
    let group = |path| view.group().and_then(|group| group.text_at(path));
    page.row(
        "settlement",
        &[
            plain(view.settlement_method()),
            plain(group("SttlmInf/ClrSys/Prtry").or_else(|| group("SttlmInf/ClrSys/Cd"))),
            said("instructed by", view.instructing_agent()),
            said("instructed", view.instructed_agent()),
            money(view.total_amount()).map(|total| format!("total {total}")),
        ],
    );
    for transaction in view.transactions().take(PARTS_MAX) {
        one(&transaction, page);
    }
    page.rest(view.len(), "transactions");
}

fn one(transaction: &Transaction<'_>, page: &mut Page) {
    let node = transaction.node();
    let amount = money(Some(transaction.amount())).unwrap_or_default();
    let date = said("on", transaction.settlement_date());
    let amount = date.map_or_else(|| amount.clone(), |date| format!("{amount} {date}"));
    let cover = transaction.is_cover().then(|| "cover of a customer transfer".to_owned());
    let charges = said("charges", transaction.charge_bearer());
    head(page, transaction.index, &[Some(amount), charges, cover]);
    let instructed = node
        .at("InstdAmt")
        .map(|amount| format!("{} {}", amount.attribute("Ccy").unwrap_or(""), amount.text()));
    page.part("instructed", &[instructed, said("rate", node.text_at("XchgRate"))]);
    page.part("from", &party(node, "Dbtr", transaction.debtor_account()));
    page.part("its bank", &[plain(transaction.debtor_agent_bic())]);
    page.part("way", &[chain(node, transaction)]);
    page.part("to bank", &[plain(transaction.creditor_agent_bic())]);
    page.part("to", &party(node, "Cdtr", transaction.creditor_account()));
    page.part(
        "references",
        &[
            said("instruction", transaction.instruction_id()),
            said("end to end", transaction.end_to_end_id()),
            said("transaction", transaction.tx_id()),
            said("UETR", transaction.uetr()),
        ],
    );
    for charge in node.children("ChrgsInf") {
        let amount = charge.child("Amt").or_else(|| charge.child("ChrgsAmt"));
        let text = amount
            .map(|amount| format!("{} {}", amount.attribute("Ccy").unwrap_or(""), amount.text()));
        let agent = ["Agt", "ChrgsPty"].into_iter().find_map(|name| charge.child(name));
        page.part("charge", &[text, said("by", agent.and_then(agent_bic))]);
    }
    remittance(node, page);
}

/// Name, place and account of a debtor or creditor.
fn party(transaction: Node<'_>, name: &str, account: Option<&str>) -> [Option<String>; 4] {
    let party = transaction.child(name);
    let text = |path: &str| party.and_then(|party| party.text_at(path));
    let label = text("Nm").or_else(|| text("FinInstnId/Nm"));
    let bic = party.and_then(agent_bic).or_else(|| text("Id/OrgId/AnyBIC"));
    let town = text("PstlAdr/TwnNm").or_else(|| text("PstlAdr/AdrLine"));
    let place = [town, text("PstlAdr/Ctry")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    [plain(label), plain(bic), (!place.is_empty()).then_some(place), said("account", account)]
}

/// The agents between the two banks, in the order in which the payment passes them.
fn chain(node: Node<'_>, transaction: &Transaction<'_>) -> Option<String> {
    let names = [
        "PrvsInstgAgt1",
        "PrvsInstgAgt2",
        "PrvsInstgAgt3",
        "IntrmyAgt1",
        "IntrmyAgt2",
        "IntrmyAgt3",
    ];
    let mut agents: Vec<String> = vec![];
    agents.extend(transaction.instructing_agent_bic().map(|bic| format!("sent by {bic}")));
    agents.extend(transaction.instructed_agent_bic().map(|bic| format!("to {bic}")));
    for name in names {
        if let Some(agent) = node.child(name) {
            let known = agent_bic(agent).or_else(|| agent.text_at("FinInstnId/Nm"));
            agents.push(format!("via {}", known.unwrap_or("an agent without a BIC")));
        }
    }
    (!agents.is_empty()).then(|| agents.join(", "))
}

fn remittance(node: Node<'_>, page: &mut Page) {
    let Some(information) = node.child("RmtInf") else { return };
    for line in information.children("Ustrd") {
        page.part("for", &[plain(Some(line.text()))]);
    }
    for document in information.children("Strd") {
        let number = document.text_at("RfrdDocInf/Nb");
        let creditor = document.text_at("CdtrRefInf/Ref");
        page.part("for", &[said("document", number), said("creditor reference", creditor)]);
    }
}

fn reason_row<'a>(page: &mut Page, reasons: impl Iterator<Item = Reason<'a>>) {
    for reason in reasons {
        let lines: Vec<&str> = reason.additional_information().collect();
        let lines = (!lines.is_empty()).then(|| lines.join(" "));
        page.part("because", &[plain(reason.code()), lines]);
    }
}

fn returned(view: &Return<'_>, page: &mut Page) {
    message_row(page, view.msg_id(), view.creation_time(), view.number_of_transactions());
    let mut count = 0;
    for transaction in view.transactions() {
        count += 1;
        if count > PARTS_MAX {
            continue;
        }
        let amount = money(Some(transaction.amount()));
        let date = said("on", transaction.settlement_date());
        head(page, transaction.index, &[amount, date, said("return", transaction.return_id())]);
        page.part(
            "original",
            &[
                money(transaction.original_amount()),
                said("message", transaction.original_msg_id()),
                said("end to end", transaction.original_end_to_end_id()),
                said("transaction", transaction.original_tx_id()),
                said("UETR", transaction.original_uetr()),
            ],
        );
        reason_row(page, transaction.reasons());
    }
    page.rest(count, "transactions");
}

fn status(view: &Status<'_>, page: &mut Page) {
    message_row(page, view.msg_id(), view.creation_time(), None);
    for group in view.groups() {
        page.row(
            "original",
            &[
                plain(group.original_msg_id()),
                plain(group.original_msg_name()),
                said("status", group.status()),
            ],
        );
        reason_row(page, group.reasons());
    }
    statuses(view.transactions(), page);
}

fn statuses<'a>(all: impl Iterator<Item = TransactionStatus<'a>>, page: &mut Page) {
    let mut count = 0;
    for transaction in all {
        count += 1;
        if count > PARTS_MAX {
            continue;
        }
        head(page, transaction.index, &[plain(transaction.status())]);
        page.part(
            "original",
            &[
                said("instruction", transaction.original_instruction_id()),
                said("end to end", transaction.original_end_to_end_id()),
                said("transaction", transaction.original_tx_id()),
                said("UETR", transaction.original_uetr()),
            ],
        );
        reason_row(page, transaction.reasons());
    }
    page.rest(count, "transactions");
}

fn debit(view: &DirectDebit<'_>, page: &mut Page) {
    message_row(page, view.msg_id(), view.creation_time(), view.number_of_transactions());
    for instruction in view.instructions() {
        page.row(
            "to",
            &[
                plain(instruction.creditor_bic()),
                said("account", instruction.creditor_account()),
                said("credit", instruction.credit_id()),
            ],
        );
    }
    for (index, transaction) in view.transactions().enumerate().take(PARTS_MAX) {
        let date = said("on", transaction.settlement_date());
        head(page, index, &[money(transaction.amount()), date]);
        let account = said("account", transaction.debtor_account());
        page.part("from", &[plain(transaction.debtor_bic()), account]);
        page.part(
            "references",
            &[
                said("instruction", transaction.instruction_id()),
                said("end to end", transaction.end_to_end_id()),
                said("UETR", transaction.uetr()),
            ],
        );
    }
    page.rest(view.transactions().count(), "transactions");
}

fn request(view: &StatusRequest<'_>, page: &mut Page) {
    message_row(page, view.msg_id(), view.creation_time(), None);
    page.row("original", &[plain(view.original_msg_id()), plain(view.original_msg_name())]);
    for (index, transaction) in view.transactions().enumerate().take(PARTS_MAX) {
        head(
            page,
            index,
            &[
                said("instruction", transaction.original_instruction_id()),
                said("end to end", transaction.original_end_to_end_id()),
                said("UETR", transaction.original_uetr()),
            ],
        );
    }
    page.rest(view.transactions().count(), "transactions");
}

fn recall(view: &CancellationRequest<'_>, page: &mut Page) {
    message_row(page, view.assignment_id(), view.creation_time(), None);
    page.row("from", &[plain(view.assigner()), said("to", view.assignee())]);
    let whole = view.whole_group() == Some(true);
    page.row(
        "original",
        &[
            said("message", view.original_msg_id()),
            whole.then(|| "all of its transactions".to_owned()),
        ],
    );
    for (index, transaction) in view.transactions().enumerate().take(PARTS_MAX) {
        head(
            page,
            index,
            &[
                money(transaction.original_amount()),
                said("on", transaction.original_settlement_date()),
                said("end to end", transaction.original_end_to_end_id()),
                said("UETR", transaction.original_uetr()),
            ],
        );
        reason_row(page, transaction.reasons());
    }
    page.rest(view.transactions().count(), "transactions");
}

fn resolution(view: &Resolution<'_>, page: &mut Page) {
    message_row(page, view.assignment_id(), view.creation_time(), None);
    page.row("from", &[plain(view.assigner()), said("to", view.assignee())]);
    page.row("answer", &[plain(view.confirmation()), said("case", view.original_case_id())]);
    for (index, transaction) in view.transactions().enumerate().take(PARTS_MAX) {
        head(
            page,
            index,
            &[
                plain(transaction.status()),
                money(transaction.original_amount()),
                said("end to end", transaction.original_end_to_end_id()),
                said("UETR", transaction.original_uetr()),
            ],
        );
        reason_row(page, transaction.reasons());
    }
    page.rest(view.transactions().count(), "transactions");
}

fn liquidity(view: &LiquidityTransfer<'_>, page: &mut Page) {
    message_row(page, view.msg_id(), view.creation_time(), None);
    let amount = money(view.amount()).or_else(|| plain(view.amount_without_currency()));
    page.row("amount", &[amount, said("on", view.settlement_date())]);
    page.row("from", &[plain(view.debtor_bic()), said("account", view.debtor_account())]);
    page.row("to", &[plain(view.creditor_bic()), said("account", view.creditor_account())]);
    page.row(
        "references",
        &[
            said("instruction", view.instruction_id()),
            said("end to end", view.end_to_end_id()),
            said("UETR", view.uetr()),
        ],
    );
}

fn initiation(view: &Initiation<'_>, page: &mut Page) {
    message_row(page, view.msg_id(), view.creation_time(), view.number_of_transactions());
    page.row("from", &[plain(view.initiating_party()), said("sum", view.control_sum())]);
    let mut index = 0;
    for payment in view.payments() {
        page.row(
            "payment",
            &[
                plain(payment.payment_id()),
                plain(payment.debtor_name()),
                said("account", payment.debtor_account()),
                said("at", payment.debtor_agent_bic()),
                said("on", payment.execution_date()),
            ],
        );
        for transaction in payment.transactions() {
            if index < PARTS_MAX {
                head(
                    page,
                    index,
                    &[
                        money(transaction.amount()),
                        said("to", transaction.creditor_name()),
                        said("account", transaction.creditor_account()),
                        said("at", transaction.creditor_agent_bic()),
                        said("end to end", transaction.end_to_end_id()),
                    ],
                );
                remittance(transaction.node(), page);
            }
            index += 1;
        }
    }
    page.rest(index, "transactions");
}

fn initiation_status(view: &InitiationStatus<'_>, page: &mut Page) {
    message_row(page, view.msg_id(), view.creation_time(), None);
    page.row("original", &[plain(view.original_msg_id()), said("status", view.group_status())]);
    for payment in view.payments() {
        let id = plain(payment.original_payment_id());
        page.row("payment", &[id, said("status", payment.status())]);
        reason_row(page, payment.reasons());
        statuses(payment.transactions(), page);
    }
}
