//! The colours of pictures, by day and by night.

/// Scoped, since a picture may stand in the middle of a page.
pub const SHEET: &str = "\
.gitport{font-family:Helvetica,Arial,'Liberation Sans',sans-serif}\
.gitport text{text-anchor:middle;fill:#1f2328;white-space:pre}\
.gitport .paper{fill:#fff}\
.gitport .title{font-size:15px;font-weight:bold;text-anchor:start}\
.gitport .headline{font-size:13px;font-weight:bold}\
.gitport .note{font-size:11px}\
.gitport .id,.gitport .description{fill:#59636e}\
.gitport .type{font-style:italic}\
.gitport .gate{font-size:10px;font-weight:bold}\
.gitport .status{font-size:10px;font-weight:bold;fill:#fff}\
.gitport .line,.gitport .icon,.gitport .bar{fill:none;stroke:#57606a;stroke-width:1.4}\
.gitport .tip{fill:#57606a}\
.gitport .up{stroke:#8250df}.gitport .uptip{fill:#8250df}\
.gitport .cancel{stroke:#cf222e;stroke-dasharray:5 3}\
.gitport .cross{fill:none;stroke:#cf222e;stroke-width:2}\
.gitport .bar{stroke-width:4}\
.gitport .race{stroke-dasharray:4 3}\
.gitport .band{stroke:none}\
.gitport .box{fill:#f6f8fa;stroke:#57606a;stroke-width:1.4}\
.gitport .start>.box{fill:#1f2328}\
.gitport .finish>.box{fill:#fff;stroke-width:3}\
.gitport .person>.box{fill:#ddf4ff;stroke:#0969da}\
.gitport .worker>.box{fill:#fff1e5;stroke:#bc4c00}\
.gitport .exec>.box{fill:#eaeef2;stroke:#24292f}\
.gitport .git>.box{fill:#fbefff;stroke:#8250df}\
.gitport .timer>.box{fill:#fff8c5;stroke:#9a6700}\
.gitport .event>.box{fill:#dff7f2;stroke:#0f766e}\
.gitport .route>.box{fill:#fff}\
.gitport .final>.box{fill:#dafbe1;stroke:#1a7f37}\
.gitport .bad>.box{fill:#ffebe9;stroke:#cf222e}\
.gitport .block>.box{fill:#fff}\
.gitport .call>.box{fill:#ffeff7;stroke:#bf3989}\
.gitport .missing>.box{fill:#ffebe9;stroke:#cf222e;stroke-dasharray:4 3}\
.gitport .marked>.box{stroke-width:3}\
.gitport .opened>.box{fill:#fff}\
.gitport .stuck>.box{stroke:#cf222e}.gitport .running>.box{stroke:#0969da}\
.gitport .offered>.box{stroke:#9a6700}.gitport .waiting>.box{stroke:#59636e}\
.gitport .done>.box{stroke:#1a7f37}\
.gitport .stuck>.band{fill:#cf222e}.gitport .running>.band{fill:#0969da}\
.gitport .offered>.band{fill:#9a6700}.gitport .waiting>.band{fill:#59636e}\
.gitport .done>.band{fill:#1a7f37}\
@media (prefers-color-scheme:dark){\
.gitport text{fill:#f0f6fc}\
.gitport .paper,.gitport .route>.box,.gitport .block>.box,.gitport .opened>.box{fill:#0d1117}\
.gitport .finish>.box{fill:#0d1117}\
.gitport .id,.gitport .description{fill:#9198a1}\
.gitport .status{fill:#fff}\
.gitport .line,.gitport .icon,.gitport .bar{stroke:#9198a1}\
.gitport .tip{fill:#9198a1}\
.gitport .up{stroke:#a371f7}.gitport .uptip{fill:#a371f7}\
.gitport .cancel,.gitport .cross{stroke:#f85149}\
.gitport .box{fill:#151b23;stroke:#9198a1}\
.gitport .start>.box{fill:#f0f6fc}\
.gitport .person>.box{fill:#121d2f;stroke:#4493f8}\
.gitport .worker>.box{fill:#2a1a0f;stroke:#db6d28}\
.gitport .exec>.box{fill:#1c2128;stroke:#d1d7e0}\
.gitport .git>.box{fill:#211a33;stroke:#a371f7}\
.gitport .timer>.box{fill:#272115;stroke:#d29922}\
.gitport .event>.box{fill:#0f2725;stroke:#39c5bb}\
.gitport .final>.box{fill:#12261e;stroke:#3fb950}\
.gitport .bad>.box,.gitport .missing>.box{fill:#25171c;stroke:#f85149}\
.gitport .call>.box{fill:#2a1523;stroke:#db61a2}\
.gitport .stuck>.box{stroke:#f85149}.gitport .running>.box{stroke:#4493f8}\
.gitport .offered>.box{stroke:#d29922}.gitport .waiting>.box{stroke:#9198a1}\
.gitport .done>.box{stroke:#3fb950}\
}";
