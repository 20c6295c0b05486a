use super::*;
use crate::table::{self, Kind, Table, Term, TypeId};
use std::collections::BTreeSet;

/// True when a path leads somewhere from a type.
fn leads(table: &Table, from: TypeId, path: &str) -> bool {
    follow(table, from, path).is_some()
}

fn follow(table: &Table, from: TypeId, path: &str) -> Option<TypeId> {
    path.split('/').try_fold(from, |at, name| {
        let Kind::Complex(content) = &table.type_of(at).kind else { return None };
        let option = content.options.iter().find(|option| option.name == name)?;
        match option.term {
            Term::Element(next) => Some(next),
            Term::Any | Term::AnySignature => None,
        }
    })
}

/// Paths, relative to a place in the body, that no version of a family knows.
fn unknown(family: &str, place: &str, paths: &[&'static str]) -> Vec<String> {
    let mut left: BTreeSet<&str> = paths.iter().copied().collect();
    let names = table::names().into_iter().filter(|name| name.family() == family);
    for name in names {
        let (table, root) = table::root_of(name).expect("a name of the registry");
        let Kind::Complex(document) = &table.type_of(root.type_id).kind else { continue };
        let Term::Element(body) = document.options[0].term else { continue };
        let from = if place.is_empty() { Some(body) } else { follow(table, body, place) };
        if let Some(from) = from {
            left.retain(|path| !leads(table, from, path));
        }
    }
    left.iter().map(|path| format!("{family} {place}: {path}")).collect()
}

#[test]
fn every_path_of_every_view_is_in_a_table() {
    let statement = [StatementReport::PATHS, Balance::PATHS, Entry::PATHS, EntryDetails::PATHS];
    let mut wrong: Vec<String> = [
        ("pacs.010", "", DirectDebit::PATHS),
        ("pacs.010", "CdtInstr", CreditInstruction::PATHS),
        ("pacs.010", "CdtInstr/DrctDbtTxInf", DirectDebitTransaction::PATHS),
        ("pacs.028", "", StatusRequest::PATHS),
        ("pacs.028", "TxInf", RequestedStatus::PATHS),
        ("camt.056", "", CancellationRequest::PATHS),
        ("camt.056", "Undrlyg/TxInf", CancelledTransaction::PATHS),
        ("camt.029", "", Resolution::PATHS),
        ("camt.029", "CxlDtls/TxInfAndSts", ResolvedTransaction::PATHS),
        ("camt.110", "", Investigation::PATHS),
        ("camt.111", "", InvestigationAnswer::PATHS),
        ("camt.050", "", LiquidityTransfer::PATHS),
        ("camt.025", "", Receipt::PATHS),
        ("camt.025", "RctDtls", ReceiptDetails::PATHS),
        ("camt.025", "RctDtls/OrgnlPmtId", PaymentReference::PATHS),
        ("camt.003", "", AccountQuery::PATHS),
        ("camt.004", "", AccountReport::PATHS),
        ("camt.004", "RptOrErr/AcctRpt", ReportedAccount::PATHS),
        ("camt.004", "RptOrErr/AcctRpt/AcctOrErr/Acct/MulBal", ReportedBalance::PATHS),
        ("camt.005", "", TransactionQuery::PATHS),
        ("camt.006", "", TransactionReport::PATHS),
        ("camt.006", "RptOrErr/BizRpt/TxRpt", ReportedTransaction::PATHS),
        ("camt.007", "", TransactionModification::PATHS),
        ("camt.007", "Mod", TransactionChange::PATHS),
        ("camt.008", "", TransactionCancellation::PATHS),
        ("camt.009", "", LimitQuery::PATHS),
        ("camt.010", "", LimitReport::PATHS),
        ("camt.010", "RptOrErr/BizRpt/CurLmt", ReportedLimit::PATHS),
        ("camt.011", "", LimitChange::PATHS),
        ("camt.011", "LmtDtls", StatedLimit::PATHS),
        ("camt.012", "", LimitDeletion::PATHS),
        ("camt.046", "", ReservationQuery::PATHS),
        ("camt.047", "", ReservationReport::PATHS),
        ("camt.047", "RptOrErr/BizRpt/CurRsvatn", ReportedReservation::PATHS),
        ("camt.048", "", ReservationChange::PATHS),
        ("camt.049", "", ReservationDeletion::PATHS),
        ("camt.060", "", ReportingRequest::PATHS),
        ("camt.057", "", NoticeToReceive::PATHS),
        ("camt.058", "", NoticeCancellation::PATHS),
        ("pain.001", "", Initiation::PATHS),
        ("pain.001", "PmtInf", InitiatedPayment::PATHS),
        ("pain.001", "PmtInf/CdtTrfTxInf", InitiatedTransaction::PATHS),
        ("pain.002", "", InitiationStatus::PATHS),
        ("pain.002", "OrgnlPmtInfAndSts", PaymentStatus::PATHS),
        ("admi.002", "", Rejection::PATHS),
        ("admi.004", "", SystemEvent::PATHS),
        ("admi.006", "", ResendRequest::PATHS),
        ("admi.006", "RsndSchCrit", ResendCriterion::PATHS),
        ("admi.007", "", ReceiptAcknowledgement::PATHS),
        ("admi.011", "", EventAcknowledgement::PATHS),
        ("camt.018", "", BusinessDayQuery::PATHS),
        ("camt.019", "", BusinessDayReport::PATHS),
        ("camt.019", "RptOrErr/BizRpt", ReportedDay::PATHS),
        ("camt.053", "Stmt", statement[0]),
        ("camt.053", "Stmt/Bal", statement[1]),
        ("camt.053", "Stmt/Ntry", statement[2]),
        ("camt.053", "Stmt/Ntry/NtryDtls/TxDtls", statement[3]),
    ]
    .into_iter()
    .flat_map(|(family, place, paths)| unknown(family, place, paths))
    .collect();
    // Parts that two messages share: each path is known to one of them.
    for (first, second, paths) in [
        (("camt.110", "InvstgtnData"), ("camt.111", "InvstgtnRspn/InvstgtnData"), {
            InvestigationData::PATHS
        }),
        (("camt.057", "Ntfctn/Itm"), ("camt.058", "OrgnlNtfctn/OrgnlNtfctnRef/OrgnlItm"), {
            ExpectedItem::PATHS
        }),
        (("camt.025", "RctDtls/ReqHdlg"), ("admi.007", "Rpt/ReqHdlg"), RequestHandling::PATHS),
        (("camt.053", ""), ("camt.054", ""), Statement::PATHS),
    ] {
        let tail = |lines: Vec<String>| -> BTreeSet<String> {
            let paths = lines.iter().filter_map(|line| line.split(": ").nth(1));
            paths.map(str::to_owned).collect()
        };
        let left = tail(unknown(first.0, first.1, paths));
        let both: Vec<_> =
            tail(unknown(second.0, second.1, paths)).intersection(&left).cloned().collect();
        wrong.extend(both.into_iter().map(|path| format!("{} or {}: {path}", first.0, second.0)));
    }
    // Only `camt.052` calls its reports `Rpt`.
    wrong.retain(|line| line != "camt.053 or camt.054: Rpt");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
