"""The ways to tell and to ask what somebody does, has or dislikes, and what "the password" is. One pattern a line.

{v} is the value, {k} the verb or the thing, {ks} the verb for somebody else, {o} what the verb is done to.
"""

SAY = {
    "verb": """
5*I {k} {v}(|.|!)
2*I (also |usually |always |often |mostly |normally |sometimes |currently |still |really |proudly |actually |now |happily |mainly |regularly |){k} {v}( every day| every week| on Sundays| at the weekend| in my free time| for fun| for a living| at home| with my {r}| these days| at the moment| since {y}| for {n} years now| a lot| when I can|)(|.|!)
(I like to|I love to|I'm known to|I'm the one who likes to|At home I|In my free time I|On weekends I|Every day I|These days I|Nowadays I|As for me, I|Me, I|Personally, I|Usually I|Right now I) {k} {v}(|.|!)
I {k} {v}(, by the way|, btw|, and you?|, what about you?|, you know|. What do you {k}?|. And you?|, remember that|. Please remember that|, keep that in mind|, as you may know|, in case it matters)
(What I {k} is|The {o} I {k} is|The {o} that I {k} is) {v}(|.)
{v} is (what I {k}|the {o} I {k})(|.)
""",
    "dislike": """
3*I (hate|dislike|can't stand|cannot stand|don't like|do not like|detest|loathe|really hate|can't bear|really dislike|absolutely hate|never liked|have never liked|despise|am not a fan of|'m not a fan of|am not fond of|'m not fond of|have always hated|don't enjoy|really don't like|hate eating|strongly dislike|don't care for|could never like) {v}(|.|!| at all| so much| very much)
I (hate|dislike|can't stand|don't like|detest) {v}(, by the way|, you know|, and you?|, do you?|. What about you?| more than anything| and always will|, remember that)(|.)
({v} is|{v} are) (something I (hate|dislike|can't stand|don't like)|not my thing|not for me|what I hate (most|the most)|the thing I hate most)(|.|!)
(What I hate most is|The thing I can't stand is|What I dislike is|One thing I hate is|If there's one thing I hate, it's|the worst thing for me is|I'm disgusted by|I have a strong dislike of) {v}(|.|!)
""",
    "allergy": """
5*(I'm|I am|im|I've always been|I have been|I'm very|I am badly|I'm terribly|I happen to be|I'm unfortunately|I became|I'm highly) allergic to {v}(|.|!| since {y}| you know|, by the way|, so be careful|, remember that)
(I have|I've got|I suffer from|I developed) (an|a bad|a severe|a terrible|a {v}) allergy( to {v}|)(|.)
(I can't eat {v} because I'm allergic|{v} makes me sneeze, I'm allergic to it|My allergy is to {v}|My allergies: {v}|The thing I'm allergic to is {v})(|.)
""".replace(
        "(an|a bad|a severe|a terrible|a {v}) allergy( to {v}|)",
        "(an|a bad|a severe|a terrible|a strong) allergy to {v}",
    ),
    "born": """
5*I was born in {v}(|.|!|, by the way|, so do the maths|, you know|. And you?|, believe it or not)
(I'm|I am) (born in {v}|a child of {v}|from the year {v}|of the class of {v})(|.)
(My year of birth is|My birth year is|The year I was born is|the year I was born in is|year of birth:|born:|born in|I came into the world in|I saw the light of day in|The year of my birth is) {v}(|.)
{v} is (the year I was born|when I was born|my birth year|my year of birth|the year of my birth)(|.)
""",
    "animal": """
5*(I have|I've got|I own|I keep|I got|We have|We've got|I also have|At home I have|I live with|I adopted|I've adopted|i have|we own|I just got|I finally have|I look after|I take care of) {v}(| at home| as a pet| as pets)(|.|!)
I have {v}(, by the way|, and you?|. Do you have pets?|, you know| and I love it| and they are great| - cute, right?|. What about you?| at home with my {r})(|.)
(My pet is|My pets are|The pet I have is|My only pet is|As a pet I have|for a pet I've got|My animal companion is) {v}(|.|!)
""",
    "the": """
5*(The|the) {k} is {v}(|.|!)
2*(remember|Remember|please remember|Remember:|Note:|note that|keep in mind that|don't forget|write down:|Please note|for later:|fyi|btw|just so you know,|so you know,|by the way,|Attention:|listen,|Psst,|okay,) the {k} is {v}(|.|!)
(The|the) {k} is (now|still|actually|currently|always|simply|really) {v}(|.)
(The|the) {k}(:| =| -) {v}
{v} is the {k}(|.|!|, remember that|, don't tell anyone|, ok?)
(The|the) {k} is {v}(, don't forget it|, remember it|, please remember|. Remember that.|. Got it?|, keep it safe|, ok?|, tell nobody|. I'll ask you later.|, make a note of it|, in case I forget|, keep it to yourself)
(The|the) {k} (has changed|changed|is new)(,|:|;) (it's|it is|now it's|it's now) {v}(|.| now)
(As for the {k}, it's|We agreed on the {k}:|I chose the {k}:|We changed the {k} to|I've set the {k} to|They told me the {k} is|It was decided that the {k} is|Let the {k} be|let's say the {k} is|Use this as the {k}:|We picked as the {k}) {v}(|.)
""",
}
_AGAIN = "(|?| again?| please?|, please?| then?)"
ASK = {
    "verb": f"""
5*(What|what) do I {{k}}{_AGAIN}
4*(What|Which|what kind of|What sort of|What type of) {{o}} do I {{k}}{_AGAIN}
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall|Please tell me|Say|I forgot|Can you remember|I told you) (what|which {{o}}|what {{o}}|what kind of {{o}}) I {{k}}(|?|.| please| again?)
(What did I say|What did I tell you|Which {{o}} did I say|Which {{o}} did I tell you) (I {{k}}|that I {{k}})(|?)
(What|Which) {{o}} (is it that I|did I say I|was it that I|did I tell you I) {{k}}(|?)
(Do I {{k}} (anything|something|a {{o}}|any {{o}})|The {{o}} I {{k}}, what is it|what's the {{o}} I {{k}}|What is the {{o}} that I {{k}})(|?)
(Did I tell you|Have I told you|Did I mention|Have I mentioned|Did I say) (what|which {{o}}|what {{o}}) I {{k}}(|?)
""",
    "dislike": f"""
5*What do(n't I like| I hate| I dislike| I not like| I detest| I loathe){_AGAIN}
2*(What|Which thing|which things|what food|what sort of thing) (can't I stand|can I not stand|don't I like|do I hate|do I dislike|am I not fond of|did I say I hate|did I say I don't like|do I hate most|can't I bear)(|?| again?)
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall|Say) (what|which thing|something) I (hate|dislike|don't like|can't stand|don't enjoy)(|?|.| please)
(What did I tell you I (hate|don't like|dislike)|Is there anything I (hate|don't like|dislike)|What are my dislikes|my dislikes)(|?)
""",
    "allergy": f"""
5*What am I allergic to{_AGAIN}
(Do I have|Have I got) (an allergy|any allergies|allergies)(|?)
(What allergy do I have|What's my allergy|what is my allergy|what are my allergies|which allergies do I have|What should I not eat|what must I avoid|what can't I eat|What do I have to avoid|Am I allergic to anything)(|?)
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall) what I'm allergic to(|?|.| please)
(What did I say I was allergic to|What did I tell you about my allergy|what did I say about my allergies)(|?)
""",
    "born": f"""
4*(When was I born|What year was I born in|In what year was I born|Which year was I born|In which year was I born|what's my birth year|What is my year of birth|when did I come into the world|What was the year of my birth|what year am I from){_AGAIN}
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall) (when I was born|what year I was born in|my birth year|my year of birth|which year I was born)(|?|.| please)
(When did I say I was born|What year did I say I was born)(|?)
""",
    "animal": f"""
4*(What pets do I have|Which pets do I have|Do I have a pet|Do I have pets|Do I have any pets|What pet do I have|Which pet do I have|what animals do I have|What animal do I have|which animals do I own|What animals do I keep|What are my pets|What is my pet|Do I own a pet|have I got a pet|have I got any pets|what kind of pet do I have|what kind of animal do I have){_AGAIN}
(Do you know|Do you remember|Can you tell me|Tell me|Remind me|do you recall) (what pets I have|which pets I have|what pet I have|which animal I have|what animals I have|whether I have a pet|if I have a pet|about my pets)(|?|.| please)
(What did I say about my pets|What did I tell you about my pet|what do you know about my pets|What pets did I say I have)(|?)
""",
    "the": f"""
5*(What is|What's|whats|What was|what's) the {{k}}{_AGAIN}
2*(Do you know|Do you remember|Can you remember|Can you tell me|Tell me|Remind me of|do you recall|Please tell me|Say|Give me|Repeat|I forgot|I need|Do you still know|show me|what about) the {{k}}(|?|.| please| again?)
(what|tell me what|remind me what|do you know what|do you remember what|can you tell me what|I forgot what) the {{k}} (is|was)(|?|.| again?| please?)
(What did I say|What did I tell you|What had I said|what was it I said) (the {{k}} was|the {{k}} is|was the {{k}}|about the {{k}})(|?)
(The {{k}}|the {{k}}, please|And the {{k}}|the {{k}} was)(?|...?| again?)
(Did I tell you|Have I told you|Did I mention|Did anyone tell you|Has anybody told you|Did we tell you) the {{k}}(|?)
(Which|What) {{k}} did (I|we) (choose|pick|tell you|give you|agree on|set|say|mention|use)(|?)
""",
}
VERBS = {
    "drive": ("drives", "car|vehicle|van"),
    "play": ("plays", "instrument|game|sport|musical instrument"),
    "study": ("studies", "subject|course|field"),
    "teach": ("teaches", "subject|class"),
    "collect": ("collects", "things|items|objects"),
    "own": ("owns", "thing|object"),
    "ride": ("rides", "bike|horse|motorbike"),
    "drink": ("drinks", "drink|beverage|stuff"),
    "support": ("supports", "team|football team|club|football club|party"),
    "use": ("uses", "editor|tool|operating system|software|browser|programming language|laptop"),
    "grow": ("grows", "plants|vegetables|flowers"),
    "wear": ("wears", "clothes|shoes|glasses|size"),
    "read": ("reads", "books|newspaper|magazine"),
    "watch": ("watches", "shows|series|sport|channel"),
    "attend": ("attends", "school|university|course"),
    "practise": ("practises", "sport|martial art|instrument"),
    "write": ("writes", "books|texts|stuff"),
    "bake": ("bakes", "cakes|bread"),
    "sell": ("sells", "goods|products|things"),
    "build": ("builds", "models|things"),
    "breed": ("breeds", "animals|dogs"),
    "fly": ("flies", "plane|kite|aircraft"),
    "smoke": ("smokes", "brand"),
    "repair": ("repairs", "things|machines"),
    "sing": ("sings", "songs|part|voice"),
    "eat": ("eats", "things|breakfast|food"),
    "cook": ("cooks", "dishes|food"),
    "paint": ("paints", "pictures|things"),
    "design": ("designs", "things|products"),
    "run": ("runs", "shop|business|company"),
    "prefer": ("prefers", "thing|option|one"),
    "trust": ("trusts", "person|one"),
    "admire": ("admires", "person|singer|scientist"),
    "follow": ("follows", "religion|diet|artist"),
}
"""The third person of a verb, and what it is done to."""
THE_THINGS = [
    "password",
    "wifi password",
    "code",
    "access code",
    "door code",
    "gate code",
    "secret word",
    "magic word",
    "code word",
    "safe word",
    "pin",
    "pin code",
    "combination",
    "room number",
    "meeting point",
    "meeting time",
    "meeting place",
    "deadline",
    "next stop",
    "dress code",
    "secret ingredient",
    "project name",
    "team name",
    "server name",
    "secret",
    "secret number",
    "magic number",
    "address",
    "phone number",
    "key phrase",
    "passphrase",
    "launch date",
    "release date",
    "theme",
    "topic",
    "location",
    "due date",
    "start time",
    "plan",
    "winner",
    "captain",
    "treasure",
    "hiding place",
    "answer to the riddle",
    "answer",
    "lucky number",
    "number",
    "word of the day",
    "key",
    "test word",
    "token",
    "budget",
    "wifi name",
    "username",
    "login",
    "order number",
    "booking number",
    "flight number",
    "train number",
    "ticket number",
    "gate",
    "platform",
    "licence plate",
    "recipe",
    "menu",
    "rendezvous",
    "exam date",
    "name of the project",
    "name of our team",
    "boss's name",
    "teacher's name",
    "event",
    "prize",
    "title",
    "motto",
    "price",
    "score",
    "time of the meeting",
    "date of the party",
    "place of the party",
    "colour of the day",
]
