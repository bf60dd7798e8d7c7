"""Variables about what content scanning has found (Exim chapter 45)."""

from __future__ import annotations

from pillarbox.flow.facets.content import MimeFacts, RegexFacts, ScanFacts
from pillarbox.flow.variables.fields import Field, declare, declare_fixed
from pillarbox.language.expand.registry import variable

_MOST_GROUPS = 9

declare(
    ScanFacts,
    [
        Field("av_failed", "av_failed", "1: the malware scanner could not be asked."),
        Field("malware_name", "malware_name", "What the malware scanner found.", True),
        Field("spam_score", "spam_score", "The score with its decimal.", True),
        Field("spam_score_int", "spam_score_int", "The score times ten.", True),
        Field("spam_bar", "spam_bar", "The score as so many + or -.", True),
        Field("spam_report", "spam_report", "What the spam scanner says of the message.", True),
        Field("spam_action", "spam_action", "What the spam scanner would do with it.", True),
    ],
)
declare(
    RegexFacts,
    [Field("regex_match_string", "match_string", "The expression that matched in the message.")],
)
declare(
    MimeFacts,
    [
        Field("mime_anomaly_level", "anomaly_level", "How odd the part's structure is."),
        Field("mime_anomaly_text", "anomaly_text", "What is odd."),
        Field("mime_boundary", "boundary", "What divides the parts of a multipart.", True),
        Field("mime_charset", "charset", "The part's character set.", True),
        Field("mime_content_description", "content_description", "Content-Description: of the part.", True),
        Field("mime_content_disposition", "content_disposition", "Inline or attachment, mostly.", True),
        Field("mime_content_id", "content_id", "Content-ID: of the part.", True),
        Field("mime_content_size", "content_size", "Kilobytes of the decoded part."),
        Field(
            "mime_content_transfer_encoding",
            "content_transfer_encoding",
            "How the part is encoded: base64 and so on.",
            True,
        ),
        Field("mime_content_type", "content_type", "Type and subtype in lower case.", True),
        Field("mime_decoded_filename", "decoded_filename", "The file that decode has written."),
        Field("mime_filename", "filename", "The name that the part proposes.", True),
        Field("mime_is_coverletter", "is_coverletter", "1: the text in front of attachments."),
        Field("mime_is_multipart", "is_multipart", "1: the part holds parts."),
        Field("mime_is_rfc822", "is_rfc822", "1: the part is in an attached message."),
        Field("mime_part_count", "part_count", "Parts before this one; -1 outside."),
    ],
)
declare_fixed("regex_cachesize", "0", "Expressions kept compiled.")


def _group(number: int) -> None:
    @variable(f"regex{number}", RegexFacts, doc=f"Group {number} of the expression that matched.")
    def group(facts: RegexFacts) -> str:
        return facts.captures[number - 1] if len(facts.captures) >= number else ""


for _number in range(1, _MOST_GROUPS + 1):
    _group(_number)
