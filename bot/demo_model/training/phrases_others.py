"""The ways to tell and to ask a fact about somebody else ({who}). One pattern a line."""

ASK_OTHER = {
    "name": "(What is|What's|whats) {who}'s (name|real name)(|?| again?)\n(Do you know|Tell me) {who}'s name(|?)",
    "favourite": """
4*(What is|What's|whats|What was) {who}'s {k}(|?| again?| please?)
2*(Do you know|Do you remember|Can you tell me|Tell me|Remind me of|do you recall|Please tell me|Say|and) {who}'s {k}(|?| please)
(what|tell me what|do you know what|can you tell me what|remind me what|do you remember what) {who}'s {k} (is|was)(|?)
(What did {who} say|What did {who} tell you) (about (their|his|her) {k}|(their|his|her) {k} (is|was))(|?)
(And|and|What about) {who}'s {k}?
(What's|what is) the {k} of {who}(|?)
""",
    "city": "3*(Where does {who} live|where's {who} living|Which city does {who} live in|What city does {who} live in|where is {who} living)(|?| again?)\n(Do you know|Tell me|Do you remember|Can you tell me) (where {who} lives|which city {who} lives in)(|?)\nWhere did {who} say (they|he|she) (lives|live)(|?)",
    "origin": "3*(Where is {who} from|Where's {who} from|Where does {who} come from|where was {who} born)(|?| again?)\n(Do you know|Tell me|Do you remember) where {who} (is from|comes from)(|?)",
    "age": "3*(How old is {who}|What's {who}'s age|What is {who}'s age|what age is {who})(|?| again?)\n(Do you know|Tell me|Do you remember|Can you tell me) how old {who} is(|?)",
    "job": "3*(What is {who}'s job|What's {who}'s job|What does {who} do for a living|what does {who} do|What does {who} work as|What is {who}'s profession)(|?| again?)\n(Do you know|Tell me|Do you remember|Can you tell me) (what {who} does for a living|{who}'s job|what {who}'s job is)(|?)",
    "employer": "2*(Where does {who} work|Who does {who} work for|Which company does {who} work for)(|?| again?)\n(Do you know|Tell me|Do you remember) where {who} works(|?)",
    "pet": """
3*(What is|What's|whats) (the name of {who}'s {k}|{who}'s {k}'s name|{who}'s {k} called|{who}'s {k} named)(|?| again?)
(Do you know|Tell me|Do you remember|Can you tell me) (what {who}'s {k} is called|the name of {who}'s {k}|{who}'s {k}'s name)(|?)
(How is {who}'s {k} called|Who is {who}'s {k})(|?)
""",
    "hobby": "3*(What is {who}'s hobby|What's {who}'s hobby|What does {who} do in (their|his|her) free time|what does {who} do for fun)(|?| again?)\n(Do you know|Tell me|Do you remember) {who}'s hobby(|?)",
    "language": "2*(What language does {who} speak|Which language does {who} speak)(|?)\n(Tell me|Do you know) which language {who} speaks(|?)",
    "likes": "3*(What does {who} like|What does {who} love|what does {who} enjoy|what is {who} into)(|?| again?)\n(Do you know|Tell me|Do you remember) what {who} likes(|?)",
}
ASK_OTHER["property"] = ASK_OTHER["favourite"]
ASK_OTHER["relative"] = ASK_OTHER["pet"]
SAY_OTHER = {
    "favourite": "4*{who}'s {k} is {v}(|.|!)\n{v} is {who}'s {k}(|.)\n(remember that|note that|I know that|I think|I heard that|turns out) {who}'s {k} is {v}(|.)\n{who}'s {k}(:| =) {v}",
    "pet": "3*{who}'s {k} is (called|named) {v}(|.|!)\n{who}'s {k}'s name is {v}(|.)\n{who} has (a|an) {k} (called|named) {v}(|.)\n{v} is {who}'s {k}(|.)",
}
SAY_OTHER["property"] = SAY_OTHER["favourite"]
