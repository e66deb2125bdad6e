"""Everything the model has no answer for: questions about the world, requests, and statements that tell nothing about you."""

import random

from bot.demo_model.training import lexicon_people as people
from bot.demo_model.training import lexicon_talk as talk
from bot.demo_model.training import lexicon_things as things
from bot.demo_model.training import values
from bot.demo_model.training.grammar import draw, word_list
from bot.demo_model.training.near_misses import NEAR_MISSES, draw_apart
from bot.demo_model.training.questions_wider import WIDER_QUESTIONS

QUESTIONS = """
4*(What is|What's|Who is|Where is|whats|Tell me about|Explain|Describe|Define|What do you know about|What is the meaning of|Do you know about|give me facts about|have you heard of|How does|Why is|What are|Who was|what was|where was) (the |a |an |){t}(|?|.| work?| good?| important?| made of?)
3*(Who|Which person|Which company) (wrote|invented|discovered|painted|won|built|founded|directed|composed|designed|is the president of|is the king of|was the first to see|killed|owns|sings about) (the |){t}(|?)
3*(What is|What's|whats|Name|Tell me|what was) (the capital|the population|the area|the currency|the language|the flag|the history|the president|the largest city|the highest mountain|the anthem|the price|the size|the colour|the color|the age|the name|the weight|the height|the speed|the distance|the origin|the purpose|the square root|the temperature) of (the |){t}(|?)
2*(How|Why|When|Where) (do|does|did|can|should|would|will) (I|you|we|people|the {t}|a {t}|it|one|they|he|she|someone) (fix|make|build|find|buy|clean|use|open|learn|see|paint|cook|grow|get|sell|break|eat|move|win|lose|need|like|become) (a |the |my |some |this |){t}(|?)
2*What is {n} (+|plus|times|*|minus|-|divided by|/|x|to the power of|mod) {n}(|?)
(Calculate|Compute|Solve|how much is|Work out) {n} (+|*|-|/|plus|times) {n}(|?|.)
(How many|How much) {t}s? (are there|is there|do I need|are in a {t}|exist|can you eat|fit in a {t}|cost {n} euros)(|?)
(How far is|How old is|How big is|How tall is|How heavy is|how expensive is|how long is|How deep is|how hot is) (the |a |){t}(|?| from {c}?)
(What's|What is|How is|how's) the (weather|temperature|time|forecast|news|traffic|date|stock price|score|situation) (in {c}|today|tomorrow|now|right now|there|outside)(|?)
(What time is it|What day is it|What year is it|What's the date|what is today's date|Is it raining|is it Monday|Will it rain tomorrow|Who won the match|What's on TV tonight|What's for dinner|what should I eat|What should I wear|Where should I go|what should I do today|What shall I do|what do you think|What do you mean|why|how|when|where|what|huh|How so|why not|how come|what for|says who|what now|what next|and then)(|?| today?| now?)
(Translate|Please translate|Can you translate|How do you say|what is) ("{t}"|{t}|this|the {t} is {a}) (to|into|in) {l}(|?|.| please)
3*(Write|Compose|Make|Draft|Please write|Can you write|Give me|Create|Could you write) (me |)(a poem|an essay|a haiku|a song|an email|a letter|a recipe|a summary|a review|a report|a speech|a limerick|a plan|a shopping list|a business plan|lyrics|an article|a tweet|a dialogue|a short text|an outline|a cover letter) (about|for|on|with) (a |the |my |){t}(|.|?| please)
2*(Recommend|Suggest|Can you recommend|Can you suggest|Which|What is the best|What's the best|Name|I need) (a good |a |some |the best |){t}(| for me| for my {r}| to buy| near me| in {c}| for {t})(|?|.)
(Do you|Can you|Would you|Could you|Have you ever|Did you|Will you|Are you able to) (like|see|eat|sing|drive|play|feel|dream of|cook|paint|build|buy|touch|love|need|own|have|want|swim|dance|fly|sleep|see me|hear music|browse the internet|search the web|draw pictures|send emails|play chess|set a timer|order pizza|make coffee|feel pain|get tired|have feelings|have friends|have a family|have parents|have children|speak {l}) (a |the |my |)(|{t})(|?)
(Is|Are|Was|Were|Does|Do|Did|Can|Could|Should) (the |a |an |){t} (really |very |still |)({a}|bigger than a {t}|in {c}|better than {t}|made of {t}|exist|work|fly|float|have a {t})(|?)
(Is {c} (nice|big|far|expensive|in {c}|the capital of {c})|Have you been to {c}|What can I see in {c}|How do I get to {c}|Where is {c}|what's {c} like|how far is {c} from {c})(|?)
(Who is|Who's|Who was|What did|where is|Do you know|have you met|tell me about) {p}(|?| do?| say?)
(What is|Explain|How does|Tell me about) (love|life|gravity|time|the meaning of life|quantum physics|photosynthesis|evolution|inflation|blockchain|a black hole|relativity|the internet|electricity|a neural network|democracy|recursion|the universe|consciousness|machine learning|entropy|climate change|DNA|the moon landing|the French Revolution|World War II)(|?| work?| to me| simply| in simple terms)
(Play|Open|Start|Stop|Call|Buy|Send|Order|Show me|Draw|Find|Search for|Book|Turn on|Turn off|Delete|Download|Google|Look up|Check|Read|Paint|Sing|Fix|Sort|Compare|Summarise|Summarize|Analyse|Convert|Prove|Guess|Choose|Imagine) (me |)(a |the |my |some |this |that |)({t}|{t} and {t}|{t} for my {r}|{t} in {c})(|.|!|?| please)
(Should I|Would you|Do I have to|Must I|Can I|May I|could I) (buy|eat|sell|clean|visit|learn|read|watch|quit|call|marry|invite|try|leave|change|take|drink|wear) (the |a |my |)({t}|{r}|{t} or the {t})(|?| today?)
"""
STATEMENTS = """
4*(The|A|That|This|One|Some|Every|Another|Our|Your|His|Her|Their) {t} (is|was|looks|seems|feels|became|will be|has been|isn't|was never|got|must be|can be) (very |so |really |too |quite |not |)({a}|{a} and {a}|{a} today|in the {t}|on the {t}|under the {t}|from {c}|gone|made of {t})(|.|!)
3*(I|We|They|He|She|Someone|My {r}|{p}|The {t}|A {t}|My {pet}|The {pet}|You|People) {v} (a|the|my|some|that|his|her|your|this|an old|a {a}|the {a}) {t}(|.|!| today| yesterday| in {c}| last week| with {p}| again| for {n} euros)
2*(I|We|They|He|She|Someone|My {r}|{p}|The {t}|My {pet}|The {pet}|Everybody|My {t}) {i}(|.|!| today| yesterday| in {c}| last night| at {n}| with {p}| again)
3*My {pet} (is|was|looks|seems|has been|isn't) (very |so |really |a bit |always |)({a}|asleep|barking|in the garden|on the sofa|under the {t}|eating|at the vet|sleeping again|scratching|missing|two years old|chasing a {t}|on the {t}|outside)(|.|!)
3*My {r} (is|was|looks|seems|isn't|has been|always is|called|wants|bought|needs|{v}) (a {t}|the {t}|very {a}|me|yesterday|at home|at work|{a}|in {c}|visiting us|coming over|my {t}|on holiday)(|.|!)
2*My (name|colour|age|job|hobby|city|home|birthday|favourite {f}|favorite {f}|{t}|{pet}) (is|was|are|seems|sounds) (hard to {w}|a secret|none of your business|not important|difficult to pronounce|too long|very {a}|difficult to choose|hard to pick|a long story|unusual|rather {a}|quite common|easy to guess|a mystery|something I won't tell|private|unknown|complicated|boring)(|.|!)
3*(I'm|I am|im|i'm|i am|We're|We are|He is|She's|They are|You're) (very |so |really |too |a bit |a little |quite |feeling |not |still |always |just |getting |)({a}|{a}|{a}|{a} today|{a} now|{a} and {a}|at home|at work|on the {t}|in the {t}|in a hurry|in love|on holiday|on my way|going home|going to bed|going out|looking for a {t}|reading a {t}|waiting for my {r}|eating a {t}|thinking about {t}|making {t}|having dinner|having fun|not sure|not sure about that|about to leave|working on a {t}|watching a {t}|trying to sleep|learning about {t}|cooking|leaving soon|getting ready|coming later|out of {t}|with my {r}|afraid of {t}|tired of this {t}|sitting on a {t}|talking to {p})(|.|!|...)
2*(I|We|You|They|People) (think|guess|believe|know|hope|feel|say|wish|doubt|wonder if|suppose|fear|dreamed|heard|read) (that |)(the|a|my|this|your) {t} (is|was|will be|isn't|could be) {a}(|.|!)
(I|We) (might|may|could|should|would like to|want to|plan to|used to|wanted to|will never|don't want to|can't|won't|hope to|don't) (move to {c}|live in {c}|visit {c}|go to {c}|get a {pet}|buy a {t}|become a {j}|learn {l}|have a {pet}|eat {t}|call my {pet} {p}|change my name|be a {j}|work in {c}|have a favourite {f}|have a {f})(|.|!| one day| next year| some day| when I was a child| any more)
({c} is|{c} was|{c} looks|I love the weather in {c},|People in {c} are|The {t} in {c} is|It is {a} in {c},) (nice|{a}|very {a}|the capital of {c}|a big city|far away|expensive|my dream|in {c}|full of {t})(|.|!)
(It|Today|Tomorrow|Yesterday|Outside|Tonight|This week|Here) (is|was|will be|might be) (raining|snowing|sunny|{a}|very {a}|cold|hot|Monday|a holiday|windy|late|a {a} day|dark|too {a})(|.|!|...)
(What a|Such a|That's a|It's a|There's a|Here is a|It was a) ({a} |){t}(|!|.| in the {t}| on the {t}| over there)
(I like your name|What a lovely name|nice name|That's a nice name|You have a nice name|Your name is funny|Names are important|a name is just a name|Colours are beautiful|Cats are better than dogs|Dogs are the best|everyone has a favourite colour|I never liked my name|I don't like my name|I have no favourite colour|I don't have a favourite {f}|I don't have a job|I don't have a {pet}|I have no pets|I won't tell you my name|I won't tell you|It's a secret|Guess my name|You know me|you know who I am|I'm not telling you|I don't remember|I forgot|I forgot what I wanted to say|I don't know|No idea|I have no idea|Who knows|Nobody knows|That's life|Time flies|Money talks|Life is hard|Nothing|Something|Everything|Anything|nothing special|just testing|just chatting|let me think|give me a second|one moment|wait|hold on|hang on|I changed my mind|it doesn't matter|not now|maybe later|later maybe|I'm bored|I'm hungry|I'm tired|I'm sad|I'm happy|I am sick|I can't sleep|I have a headache|I had a bad day|I had a good day)(|.|!|...)
2*{p} (is|was|wants|says|said|came|went|called|forgot|met|knows|left|sang|needs|will be|bought|saw) (a {t}|the {t}|very {a}|my {r}|{a}|my {t}|to {c}|{p}|home|too much|about {t}|late|again)(|.|!| too| today)
({n}|{n} {t}s|{t} {t}|{a} {t}|{t}, {t} and {t}|{t}|{o}|{word} {word}|{word} {word} {word}|{t} {word} {a}|asdf|qwerty|blah blah|lorem ipsum|1234|???|!!!|...|hmm {t}|x|:|{t}?|{word}?)
(There (is|are|was|were)|I see|I hear|I smell|I need|I want|I miss|Give me|I can see|I remember|I saw|I lost|We need) (a|the|some|many|two|three|no|{n}) ({a} |){t}(|s)( in the {t}| on my {t}| here| everywhere|)(|.|!)
2*My {prop} (is|was|looks|seems|isn't|has been|became|will be) (very |so |really |too |a bit |always |still |never |)(broken|slow|slow today|dead|{a}|{a}|{a} today|missing|a mess|killing me|driving me crazy|the worst|making me {a}|on the {t}|in the {t}|under the {t}|not working|about to break|getting old|a problem|empty|full)(|.|!| again)
I (am|'m) (older|taller|shorter|younger|smarter|better|faster|slower|stronger|happier|busier|colder) than (I look|you|my {r}|before|ever|most|the {t}|you think|I was|him|her|yesterday)(|.|!)
I live (alone|here|upstairs|nearby|far away|quietly|for the weekend|for {t}|next door|with my {r}|a quiet life|like a king|on {t}|next to a {t}|well|from day to day|in the past|in fear|in a dream)(|.|!)
I work (hard|alone|late|too much|at night|from home|part-time|every day|all day|on a {t}|with a {t}|less than I should|more than before|on Sundays|with my {r}|in the garden|long hours|for nothing)(|.|!)
(I|We|She|He) (read|saw|know|heard of|met|bought|found|told you about|dreamed of|wrote) (a|the|some|this) ({t}|{j}|man|woman|guy|film|book|story|dog) (about|by|with|of|near|and) (a man|a woman|someone|a {j}|a {t}|a cat|a dog|somebody) (called|named) {p}(|.|!)
(I|We) (have|had|saw|need|want|counted|lost) {n} ({a} |){t}s( here| there| left| in the {t}|)(|.|!)
2*My (favourite|favorite|fav) ({f}|{t}) (broke|is broken|got lost|was cancelled|is too expensive|changed a lot|never works|is sold out|was stolen|is not here|makes me {a}|used to be better|isn't very {a})(|.|!| again| today)
2*I (drive|play|study|teach|collect|read|watch|write|bake|cook|build|sing|speak|run|eat|drink|sell) (too much|too fast|a lot|badly|very well|every day|all day|too often|alone|at night|with my {r}|to work|hard|like my {r}|for hours|quietly|less than before|more than I should)(|.|!| these days)
(I was born|I am|I'm) (ready|lucky|to win|tired|this way|for this|too late|a winner|yesterday|on the run|not amused|all ears|not convinced|out of here|over it|so done|speechless)(|.|!)
(The|the|Our|Your) (password|code|pin|address|deadline|room number|plan|team name|secret word|door code|phone number|meeting point|username) (doesn't work|was wrong|has expired|is too long|is hard to remember|is missing|was changed by {p}|is unknown to me|is a joke|got leaked|won't fit|is not safe|is never right|was forgotten|needs changing|is too {a})(|.|!)
I (have|have got|'ve got) (a cold|a headache|an idea|a problem|a plan|a feeling|no time|to work|a meeting|a date|an exam tomorrow|a lot of work|no money|too much to do|a bad day|nothing to do|a funny story|a doubt|a dream|a {a} day|to buy a {t}|to clean the {t}|the {t} here|no {t}|lost my {t}|seen the {t}|a broken {t})(|.|!|...)
I (hate|like|love|dislike) (it when|that|this|how|the way|your {t}|my {t}|him|her|it here|waiting|that idea|the {t} in the {t}|when it is {a}|to be {a}|being {a})(|.|!)
(My|Our) (dog|cat|{pet}) (ate|chased|bit|broke|found|stole|hid|wants|needs|hates|loves|sleeps on|plays with|barks at|looks at|ran after) (my {t}|the {t}|a {t}|the postman|everyone|my {r}|strangers|the neighbours)(|.|!| again| today)
3*My {r} (likes|loves|hates|plays|watches|enjoys|teaches|studies|collects|prefers|drives|eats|drinks|sells|reads|paints|fears|misses|supports|plays with|works with|talks about|dreams of|knows|listens to) ({t}|{t}s|{c}|{l}|{p}|my {t}|the {t}|a {t}|tennis|chess|music|my {pet}|{a} {t}s|{t} {t}s)(|.|!| too| a lot| every day)
2*I (keep|kept|hate|am always|never stop|can't stop|am tired of|started) (losing|changing|misplacing|mixing up|mistyping|repeating|writing down|looking for|hiding|talking about|thinking about) (my|the|your|our) ({prop}|{t}|{r}'s {prop})(|.|!| again)
I('ve| have) been (reading|sitting|talking|waiting|driving|thinking|cleaning|painting|walking|running|sleeping|busy) (for hours|all day|too long|for {n} days|on a {t}|with my {r}|since the {t} came|in {c} for a week|about {t}|without a {t})(|.|!)
2*(My {r}|{p}|Someone|He|She|The {j}|Nobody|Everyone) (told|asked|wrote|warned|reminded|showed) (me|us|you|my {r}) (about|about|of) (my|your|the|his|her) ({prop}|{t}|name|job|favourite {f}|{pet})(|.|!| yesterday| again)
2*My {pet} (played|fights|ran off|shares its {t}|sleeps next to|gets along with|is friends|came home|fell in love|goes for walks) (with|and|near) ({p}|the {pet}|my {r}|a {t})(|.|!)
(When|While|After|Before|Because|If|Although|Since) (I|the {t}|my {r}|{p}|it|we) (was {a}|{i}|came home|{v} the {t}), (I|the {t}|my {r}|we|they|nobody) ({v} the {t}|{i}|was {a}|said nothing|went to {c})(|.)
(People|Cats|Dogs|Birds|Children|Teachers|Robots|Trees|Cities|Books|Llamas|Computers|Numbers|Names|Stars) (are|can be|like|need|have|eat|love|hate|never are|will always be) ({a}|{t}|many {t}|very {a}|everywhere|{a} sometimes)(|.|!)
"""
FUNCTION_WORDS = word_list(
    "the|a|of|to|in|on|with|for|and|or|but|is|was|not|my|your|his|her|it|that|this|when|where|who|what|how|do|does|did|can|if|so|at|by|from|as|all|no|yes|very"
)


def _a_word(rng: random.Random) -> str:
    lists = (things.THINGS, things.ADJECTIVES, things.VALUE_WORDS, FUNCTION_WORDS, things.FOODS)
    return rng.choice(rng.choice(lists)) if rng.random() < 0.85 else values.made_word(rng)


def word_salad(rng: random.Random) -> str:
    """Words without sense: what is not understood gets the honest answer."""
    words = [_a_word(rng) for _ in range(rng.randint(1, 12))]
    if len(words) < 3:
        words.append(rng.choice(things.THINGS))
    return " ".join(words) + rng.choice(("", ".", "?", "!"))


def _fill(text: str, rng: random.Random) -> str:
    while "{" in text:
        before, _, rest = text.partition("{")
        slot, _, after = rest.partition("}")
        text = before + SLOTS[slot](rng) + after
    return text


BROKEN = word_list(
    "phone|computer|laptop|car|job|team|school|house|keyboard|bike|train|boss|company|hobby|city|birthday"
)
OBJECTS = [
    thing for thing in things.THINGS if thing not in {*people.PETS, *people.JOBS, "name", "number", "colour", "party"}
]
NUMBER_WORDS = word_list(
    "Two|Three|Four|Five|Six|Seven|Eight|Nine|Ten|Eleven|Twelve|Twenty|Thirty|A hundred|A thousand|A dozen"
)
BODIES = word_list(
    "Jupiter|Saturn|Mars|Neptune|the Earth|Pluto|Venus|the sun|a spider|an octopus|a llama|a cow|Germany|Brazil|the USA|a guitar|a year|a week|a kilometre|a pound|a centipede|Europe|France|a piano|a car|the human body|a football team|chess|the alphabet"
)
SLOTS = {
    "t": lambda rng: (
        rng.choice(things.THINGS)
        if rng.random() < 0.8
        else rng.choice(things.VALUE_WORDS)
        if rng.random() < 0.7
        else values.made_word(rng)
    ),
    "a": lambda rng: rng.choice(things.ADJECTIVES),
    "n": lambda rng: str(rng.randint(0, 10 ** rng.randint(1, 4))),
    "c": values.place,
    "p": values.person,
    "r": lambda rng: rng.choice(people.RELATIVES),
    "pet": lambda rng: rng.choice(people.PETS),
    "v": lambda rng: rng.choice(things.VERBS),
    "i": lambda rng: rng.choice(things.INTRANSITIVES),
    "j": lambda rng: rng.choice(people.JOBS),
    "l": lambda rng: rng.choice(people.LANGUAGES),
    "f": lambda rng: rng.choice(things.FAVOURITES),
    "prop": lambda rng: rng.choice(things.PROPERTIES if rng.random() < 0.7 else BROKEN),
    "o": lambda rng: rng.choice(OBJECTS),
    "d": values.date,
    "food": lambda rng: rng.choice(things.FOODS),
    "hobby": lambda rng: rng.choice(things.HOBBIES),
    "Pet": lambda rng: rng.choice(people.PETS).capitalize(),
    "Job": lambda rng: rng.choice(people.JOBS).capitalize(),
    "N": lambda rng: rng.choice(NUMBER_WORDS),
    "y": lambda rng: str(rng.randint(1950, 2025)),
    "x": lambda rng: rng.choice("xyzabntkmfpqvw"),
    "body": lambda rng: rng.choice(BODIES),
    "w": lambda rng: rng.choice(("spell", "say", "remember", "guess", "write", "explain", "forget")),
    "word": _a_word,
}


def paste(rng: random.Random) -> str:
    """A longer text, as people paste it, now and then with a request before it."""
    sentences = []
    for _ in range(rng.randint(2, 9)):
        sentence = _fill(draw(STATEMENTS, rng), rng) if rng.random() < 0.8 else rng.choice(talk.REAL_REMARKS)
        sentences.append(sentence[:1].upper() + sentence[1:] + ("" if sentence.endswith((".", "!", "?")) else "."))
    request = rng.choice(
        (
            "",
            "",
            "Summarise this: ",
            "What do you think about this?\n",
            "Translate this: ",
            "Correct this text: ",
            "tl;dr this please: ",
            "Rewrite this: ",
            "Explain this to me: ",
            "Is this true? ",
        )
    )
    return request + rng.choice((" ", " ", "\n")).join(sentences)


def _question(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.2:
        return rng.choice(talk.REAL_QUESTIONS)
    if roll < 0.24:
        return paste(rng)
    return _fill(draw(WIDER_QUESTIONS if roll < 0.55 else QUESTIONS, rng), rng)


def _statement(rng: random.Random) -> str:
    roll = rng.random()
    if roll < 0.05:
        return word_salad(rng)
    if roll < 0.2:
        return rng.choice(talk.REAL_REMARKS)
    return _fill(draw(NEAR_MISSES if roll < 0.64 else STATEMENTS, rng), rng)


def draw_question(rng: random.Random) -> str:
    return draw_apart(_question, rng)


def draw_statement(rng: random.Random) -> str:
    return draw_apart(_statement, rng)
