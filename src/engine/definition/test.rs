//! How a definition is tested: scripts in lines, and scenarios.

use schemars::JsonSchema;
use serde::{
    Deserialize, Serialize,
    de::{Deserializer, Error},
};
use serde_json::Value;

use super::{Data, around::Duration};

/// A script that the definition is tested with.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Test {
    Script(Vec<Line>),
    Case(TestCase),
    Scenario(Scenario),
}

/// A script that starts from other data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    #[serde(default, skip_serializing_if = "Data::is_empty")]
    pub data: Data,
    pub script: Vec<Line>,
}

/// What is done or expected, alone or with data: `a`, `+a`, `*a`, `-a:ok`, `!event`, `>2h`, `?a`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Line {
    Do(String),
    With(Data),
}

/// A script in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What the run is started with.
    #[serde(default, skip_serializing_if = "Data::is_empty")]
    pub given: Data,
    pub scenario: Vec<Act>,
}

/// Something happens, or time passes; then something holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Act {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// How much time passes; everything that is due meanwhile happens in its turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

/// What somebody does; one of `step`, `start`, `heartbeat` and `event`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// A step is completed, and started before that if nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// A step is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Whoever started a step is still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
    /// An event comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Of a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Of a step: the attempt fails with an error of this type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Of an event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Value>,
    /// What a step or an event brings.
    #[serde(default, skip_serializing_if = "Data::is_empty")]
    pub data: Data,
    /// It has to be refused, and changes nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refused: bool,
}

/// What has to hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Then {
    /// Exactly these steps are on offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offers: Option<Vec<String>>,
    /// These are on offer, under way or waited for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<String>,
    /// These are not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<String>,
    /// How the run stands: `running`, `waiting`, `stuck`, `done`, `failed`, `cancelled`, or what a
    /// `final_status` calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What these names stand for in the data of the run.
    #[serde(default, skip_serializing_if = "Data::is_empty")]
    pub data: Data,
}

/// A map that is one or the other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Either {
    data: Option<Data>,
    script: Option<Vec<Line>>,
    given: Option<Data>,
    scenario: Option<Vec<Act>>,
}

impl Test {
    /// What a map says: a script with data, or a scenario.
    pub(super) fn of_map<'de, D: Deserializer<'de>>(map: D) -> Result<Test, D::Error> {
        let wrong = || D::Error::custom("{data, script} or {given, scenario}");
        match Either::deserialize(map)? {
            Either { data, script: Some(script), given: None, scenario: None } => {
                Ok(Test::Case(TestCase { data: data.unwrap_or_default(), script }))
            }
            Either { data: None, script: None, given, scenario: Some(scenario) } => {
                Ok(Test::Scenario(Scenario { given: given.unwrap_or_default(), scenario }))
            }
            _ => Err(wrong()),
        }
    }
}
