"""The ways to tell and to ask a fact about somebody else ({who}). One pattern a line."""

ASK_OTHER = {
    "name": "(What is|What's|whats) {who}'s (name|real name)(|?| again?)\n(Do you know|Tell me) {who}'s name(|?)",
    "favourite": """
4*(What is|What's|whats|What was) {who}'s {k}(|?| again?| please?)
(Which|What) {t} does {who} (like best|like most|prefer|love most|like the most)(|?)
(Do you know|Tell me|Remind me|Can you tell me|I forgot) (which|what) {t} {who} (likes best|likes most|prefers)(|?|.)
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
ASK_OTHER |= {
    "verb": "4*(What does {who} {k}|What {o} does {who} {k}|Which {o} does {who} {k}|what kind of {o} does {who} {k})(|?| again?)\n(Do you know|Tell me|Do you remember|Can you tell me) (what|which {o}) {who} {ks}(|?)",
    "dislike": "3*(What does {who} hate|What does {who} dislike|what doesn't {who} like|What can't {who} stand|What does {who} not like)(|?| again?)\n(Do you know|Tell me|Do you remember) what {who} (hates|dislikes|doesn't like)(|?)",
    "allergy": "3*(What is {who} allergic to|What's {who} allergic to|which allergies does {who} have|Does {who} have an allergy)(|?)\n(Do you know|Tell me|Do you remember) what {who} is allergic to(|?)",
    "born": "3*(When was {who} born|What year was {who} born in|In which year was {who} born)(|?)\n(Do you know|Tell me|Do you remember) when {who} was born(|?)",
    "animal": "3*(What pets does {who} have|Which pets does {who} have|Does {who} have a pet|Does {who} have any pets|What animal does {who} have)(|?)\n(Do you know|Tell me|Do you remember) (what pets|which pets) {who} has(|?)",
}
ASK_OTHER["property"] = "\n".join(line for line in ASK_OTHER["favourite"].splitlines() if "{t}" not in line)
ASK_OTHER["relative"] = ASK_OTHER["pet"]
SAY_OTHER = {
    "favourite": "4*{who}'s {k} is {v}(|.|!)\n{v} is {who}'s {k}(|.)\n(remember that|note that|I know that|I think|I heard that|turns out) {who}'s {k} is {v}(|.)\n{who}'s {k}(:| =) {v}",
    "pet": "3*{who}'s {k} is (called|named) {v}(|.|!)\n{who}'s {k}'s name is {v}(|.)\n{who} has (a|an) {k} (called|named) {v}(|.)\n{v} is {who}'s {k}(|.)",
}
SAY_OTHER |= {
    "city": "4*({who} lives|{who} is living|{who} now lives|My friend {who} lives|{who} has moved and lives|My colleague {who} lives|I heard that {who} lives) in {v}(|.|!)\n{who} moved to {v}(|.)\n{who}'s home is in {v}(|.)",
    "origin": "3*({who} is from|{who} comes from|{who} is originally from|My friend {who} comes from|{who} was born in|{who} grew up in) {v}(|.|!)",
    "age": "3*({who} is|{who} is already|{who} just turned|My friend {who} is) {v}( years old|)(|.|!)\n{who}'s age is {v}(|.)",
    "job": "3*({who} works as|{who} has a job as|My friend {who} works as|{who} earns a living as|{who} is employed as) (a|an) {v}(|.|!)\n{who}'s (job|profession) is {v}(|.)",
    "employer": "2*({who} works|{who} is employed|My friend {who} works) (at|for) {v}(|.|!)",
    "likes": "4*({who} likes|{who} loves|{who} really likes|{who} enjoys|{who} is fond of|{who} is a fan of|My friend {who} likes|{who} adores) {v}(|.|!)",
    "dislike": "3*({who} hates|{who} doesn't like|{who} can't stand|{who} dislikes|My friend {who} hates) {v}(|.|!)",
    "allergy": "3*({who} is allergic to|{who} has always been allergic to|{who} has an allergy to) {v}(|.|!)",
    "born": "3*({who} was born in|{who}'s year of birth is|My friend {who} was born in) {v}(|.|!)",
    "animal": "3*({who} has|{who} owns|{who} keeps|{who} has got|My friend {who} has) {v}(|.|!)",
    "verb": "5*({who} {ks}|{who} usually {ks}|My friend {who} {ks}|{who} also {ks}|{who} really {ks}|I know that {who} {ks}) {v}(|.|!)",
    "hobby": "3*({who}'s hobby is|{who}'s hobbies include|The hobby of {who} is) {v}(|.|!)\n{v} is {who}'s hobby(|.)",
    "language": "3*({who} speaks|{who} can speak|{who} knows how to speak|My friend {who} speaks) {v}(|.|!)",
    "relative": "3*{who}'s {k} is (called|named) {v}(|.|!)\n{who}'s {k}'s name is {v}(|.)\n{who} has (a|an) {k} (called|named) {v}(|.)\n(The name of {who}'s {k} is) {v}(|.)",
}
SAY_OTHER["property"] = SAY_OTHER["favourite"]
