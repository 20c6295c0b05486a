//! The header of a sample, where its profile wants one.

use crate::build::BusinessHeader;
use crate::name::MessageName;
use crate::profile::Profile;
use crate::writer::{BuildError, DECLARATION, Draft};

/// The document, with a header that fits it under the profiles that ask for one.
pub(super) fn write(
    message: MessageName,
    profile: Profile,
    draft: &Draft,
) -> Result<Vec<u8>, BuildError> {
    if !matches!(profile, Profile::Cbpr | Profile::Hvps) {
        return draft.write(message);
    }
    let text = |paths: &[&str]| paths.iter().find_map(|path| draft.text_at(path));
    let sender = text(&[
        "*/GrpHdr/InstgAgt/FinInstnId/BICFI",
        "*/CdtTrfTxInf/InstgAgt/FinInstnId/BICFI",
        "*/CdtInstr/InstgAgt/FinInstnId/BICFI",
        "*/TxInfAndSts/InstgAgt/FinInstnId/BICFI",
        "*/TxInf/InstgAgt/FinInstnId/BICFI",
        "*/Assgnmt/Assgnr/Agt/FinInstnId/BICFI",
    ]);
    let receiver = text(&[
        "*/GrpHdr/InstdAgt/FinInstnId/BICFI",
        "*/CdtTrfTxInf/InstdAgt/FinInstnId/BICFI",
        "*/CdtInstr/InstdAgt/FinInstnId/BICFI",
        "*/TxInfAndSts/InstdAgt/FinInstnId/BICFI",
        "*/TxInf/InstdAgt/FinInstnId/BICFI",
        "*/Assgnmt/Assgne/Agt/FinInstnId/BICFI",
    ]);
    let id = text(&["*/GrpHdr/MsgId", "*/MsgHdr/MsgId", "*/MsgId/MsgId", "*/MsgId"]);
    let id = id.or_else(|| text(&["*/Assgnmt/Id", "*/InvstgtnReq/MsgId", "*/InvstgtnRspn/MsgId"]));
    let cover = draft.has("*/CdtTrfTxInf/UndrlygCstmrCdtTrf");
    let service = match profile {
        Profile::Hvps => "hvps.plus.01",
        _ if cover => "swift.cbprplus.cov.04",
        _ => "swift.cbprplus.04",
    };
    let header = BusinessHeader {
        from: sender.unwrap_or("ALPHDEFFXXX").to_owned(),
        to: receiver.unwrap_or("BRAVFRPPXXX").to_owned(),
        business_message_id: id.unwrap_or("SAMPLE-1").to_owned(),
        business_service: Some(service.to_owned()),
        creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
        possible_duplicate: false,
    };
    let mut out = String::with_capacity(4096);
    out.push_str(DECLARATION);
    out.push_str("<Envelope>");
    header.draft(message).write_fragment(header.message(), &mut out)?;
    draft.write_fragment(message, &mut out)?;
    out.push_str("</Envelope>");
    Ok(out.into_bytes())
}
