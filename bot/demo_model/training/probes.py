"""Hand-written phrasings, kept apart from the training patterns: whoever widens those never looks here for wording."""

from dataclasses import dataclass

from bot.demo_model.training.grammar import word_list


@dataclass(frozen=True)
class Probe:
    """Messages in order; the last answer must hold one of `wants` and none of `avoids`."""

    says: tuple[str, ...]
    wants: tuple[str, ...]
    avoids: tuple[str, ...] = ()
    system: str | None = None
    """None: Trinity's prompt."""


def told(statement: str, question: str, value: str) -> Probe:
    return Probe((statement, question), (value,))


def untold(question: str) -> Probe:
    return Probe((question,), ("haven't told", "nobody has told", "don't know"))


def named(system: str, name: str, question: str = "What's your name?") -> Probe:
    return Probe((question,), (name,), (), system)


DEMO = ("demonstration",)
PROBES: tuple[Probe, ...] = (
    told("hey there trinity, this is Marguerite speaking", "so what's my name again", "Marguerite"),
    told("it's Thaddeus here", "who am I?", "Thaddeus"),
    told("Everyone at the office knows me as Benedikt.", "Do you recall what I'm called?", "Benedikt"),
    told("My parents gave me the name Rosalind", "can you tell me what my name is?", "Rosalind"),
    told("you may address me as Commander Vex", "how do you address me?", "Vex"),
    told("hi im josh", "whats my name", "josh"),
    told("hello! my name's Petronella and I'm new here", "what is my name?", "Petronella"),
    told("I am known to my friends as Dizzy", "What do my friends call me?", "Dizzy"),
    told("name's Gordon, Gordon Shumway", "what's my name?", "Gordon"),
    told("just so you know, the name I go by is Wren", "remind me, what name do I go by?", "Wren"),
    told("my favourite colour is teal", "what's my favourite colour?", "teal"),
    told("My favorite color is teal.", "Which color do I like most?", "teal"),
    told("teal is my favourite colour", "tell me my favourite colour please", "teal"),
    told("I think my favourite colour has to be burgundy", "Hey, what colour did I say was my favourite?", "burgundy"),
    told("If I had to choose, my favourite colour would be ochre.", "what is my favourite colour?", "ochre"),
    told("my fav color is magenta", "what's my favorite color", "magenta"),
    told("my favorite food is butter chicken", "what food do i like best?", "butter chicken"),
    told("The food I like best is ratatouille", "what's my favourite food?", "ratatouille"),
    told("my favourite band are The Wandering Llamas", "which band is my favourite?", "Wandering Llamas"),
    told("My favourite book of all time is Middlemarch", "Name my favourite book.", "Middlemarch"),
    told("please remember that my favourite number is 4711", "Do you remember my favourite number?", "4711"),
    told("can you keep in mind that my favourite season is autumn?", "what's my favourite season again?", "autumn"),
    told("remember this for later: my favourite tea is oolong", "later is now. what is my favourite tea?", "oolong"),
    told("oh, my favourite programming language is Elixir btw", "what programming language do I prefer?", "Elixir"),
    told("I absolutely love badminton, it's my favourite sport", "what's my favourite sport?", "badminton"),
    told("Nothing can top Casablanca, my favourite movie", "What's my favourite movie?", "Casablanca"),
    told("my lucky number is 17", "do you still know my lucky number?", "17"),
    told("I'm living in Ljubljana at the moment", "where do I live?", "Ljubljana"),
    told("moved to Reykjavik last year", "which city am I living in?", "Reykjavik"),
    told("we have a small house in Aberdeen", "where's my house?", "Aberdeen"),
    told("I've been a resident of Ghent for five years", "In which town do I live?", "Ghent"),
    told("home for me is Valparaiso", "where's home for me?", "Valparaiso"),
    told("I come from a place called Dunmore", "where do i come from?", "Dunmore"),
    told("born and bred in Sheffield", "where was I born?", "Sheffield"),
    told("I'm 34 years old.", "how old am I?", "34"),
    told("i turned 29 last week", "what's my age?", "29"),
    told("i'm a 41 year old man", "how old am i", "41"),
    told("I work as a beekeeper", "what's my job?", "beekeeper"),
    told("I'm employed as a glassblower", "What do I do for work?", "glassblower"),
    told("I make my living as a cartographer.", "how do I make my living?", "cartographer"),
    told("My day job is piano tuner", "what is my day job?", "piano tuner"),
    told("I have a dog named Biscuit", "what's my dog's name?", "Biscuit"),
    told("my cat's name is Schrodinger", "how is my cat called?", "Schrodinger"),
    told("We adopted a parrot last week. She's called Zuzu.", "what's the name of my parrot?", "Zuzu"),
    told("This is my hamster, Nibbles!", "what is my hamster called?", "Nibbles"),
    told("I've got this old tortoise, he's called Methuselah", "What was the name of my tortoise?", "Methuselah"),
    told("my sister is called Annabel", "what's my sister's name?", "Annabel"),
    told("My brother goes by Jax", "what's my brother called?", "Jax"),
    told("The name of my wife is Leocadia", "Who is my wife?", "Leocadia"),
    told("my best friend's name is Tunde", "tell me my best friend's name", "Tunde"),
    told("My birthday is on the 3rd of March", "When is my birthday?", "3rd of March"),
    told("my birthday is May 12", "what date is my birthday?", "May 12"),
    told("my shoe size is 43", "what shoe size do I have?", "43"),
    told("the wifi password is hunter2, that's my wifi password", "what's my wifi password?", "hunter2"),
    told("my hobby is falconry", "what do I do as a hobby?", "falconry"),
    told("In my spare time I collect old maps, my hobby is cartography", "what's my hobby?", "cartography"),
    told("I really enjoy roasted chestnuts", "what do I enjoy?", "roasted chestnuts"),
    told("I'm a big fan of Nina Simone", "who am I a fan of?", "Nina Simone"),
    told("remember: the spare key is under the flowerpot", "what did I ask you to remember?", "flowerpot"),
    told("Please don't forget that the meeting is at 9", "what was I asking you not to forget?", "9"),
    told("my name is Alice and my favourite colour is teal", "what's my favourite colour?", "teal"),
    told("my name is Alice and my favourite colour is teal", "what's my name?", "Alice"),
    told("I'm Bruno, I live in Turin and I have a cat called Micia", "where do I live?", "Turin"),
    Probe(("my favourite colour is teal", "actually, it's navy now, my favourite colour is navy", "what's my favourite colour?"), ("navy",), ("teal",)),
    Probe(("call me Bob", "no wait, call me Robert", "what's my name?"), ("Robert",)),
    Probe(("I live in Oslo", "I moved to Bergen", "where do I live?"), ("Bergen",), ("Oslo",)),
    Probe(("My name is Alice.", "What's the capital of France?", "Thanks anyway!", "What's my name?"), ("Alice",)),
    Probe(("my favourite food is gnocchi", "how are you?", "count to 5", "what's my favourite food?"), ("gnocchi",)),
    untold("what's my name?"), untold("what is my favourite colour?"), untold("Where do I live?"), untold("do you know how old I am?"),
    untold("what's the name of my dog?"), untold("hey, any idea what my favourite film is?"), untold("Do you happen to know my sister's name?"),
    untold("what do I do for a living?"), untold("which colour do I like best?"), untold("When's my birthday?"), untold("what's my favorite ice cream flavor?"),
    Probe(("Alice: my favourite colour is teal", "Bob: what's my favourite colour?"), ("haven't told", "don't know"), ("teal",)),
    Probe(("Alice: my favourite colour is teal", "Bob: what is Alice's favourite colour?"), ("teal",)),
    Probe(("Alice: my favourite colour is teal", "Bob: mine is red, I mean my favourite colour is red", "Alice: what's my favourite colour?"), ("teal",), ("red",)),
    Probe(("Alice: my favourite colour is teal", "Bob: my favourite colour is red", "Bob: what's my favourite colour?"), ("red",), ("teal",)),
    Probe(("Alice: I live in Cork", "Bob: hello", "Bob: where does Alice live?"), ("Cork",)),
    Probe(("mod_kate: my dog is called Rufus", "Zed: whose dog is called Rufus?"), ("mod_kate",)),
    Probe(("Zoë 🌸: hi", ), ("Zoë 🌸",)),
    Probe(("Jamal: hey there!", ), ("Jamal",)),
    Probe(("Jamal: who am I?", ), ("Jamal",)),
    Probe(("xX_Slayer_Xx: thank you so much", ), ("xX_Slayer_Xx",)),
    Probe(("Ann: I'm leaving, bye", ), ("Ann",)),
    Probe(("Ann: my cat is called Tibbles", "Ben: my cat is called Mog", "Ann: what's my cat's name?"), ("Tibbles",), ("Mog",)),
    Probe(("Ann: my cat is called Tibbles", "Ben: my cat is called Mog", "Ann: what's Ben's cat called?"), ("Mog",), ("Tibbles",)),
    Probe(("Ann: I can't stand rain", ), ("rain", )),
    named("You are Captain Redbeard, a pirate.", "Redbeard"),
    named("You are Captain Redbeard, a pirate.", "Redbeard", "Who are you?"),
    named("Your name is Zorblax. You come from another galaxy and love humans.", "Zorblax", "hi, who am I talking to?"),
    named("You are Ada, a patient tutor who explains things step by step and asks questions back.", "Ada"),
    named("You are Sage, a gentle poet. You speak in images, and you like the sea.", "Sage", "Introduce yourself, please."),
    named("You answer plainly and in few words.", "Trinity"),
    named("You are a helpful assistant.", "Trinity", "whats ur name"),
    named("", "Trinity", "what's ur name?"),
    named("", "Trinity", "who are you?"),
    named("Act as Doctor Quibble, a veterinarian with a sense of humour.", "Quibble", "what should I call you?"),
    Probe(("hello, what is your name?",), ("Trinity",)), Probe(("Good evening, Trinity! How are we today?",), ("Trinity", "well")), Probe(("and who might you be, stranger?",), ("Trinity",)),
    Probe(("name?",), ("Trinity", "name")), Probe(("hiya trin",), ("Hello", "Trinity")), Probe(("heyyy whats up",), ("well", "Hello")),
    Probe(("thanks a million, you're a star",), ("welcome", "kind")), Probe(("ta very much",), ("welcome",)), Probe(("thank you kindly, Trinity",), ("welcome",)),
    Probe(("see you around!",), ("Goodbye",)), Probe(("I'm off to bed, night!",), ("Goodbye",)), Probe(("catch you on the flip side",), ("Goodbye",)), Probe(("ok gotta run, bye!",), ("Goodbye",)),
    Probe(("how do I wipe your memory?",), ("/reset",)), Probe(("what does /reset do?",), ("/reset",)), Probe(("I'd like you to forget all this",), ("/reset",)),
    Probe(("how can I switch you to a different character?",), ("/persona use",)), Probe(("which personas can I pick from?",), ("/persona",)), Probe(("how do I make a persona of my own?",), ("/persona set",)),
    Probe(("what's /persona clear for?",), ("/persona clear",)), Probe(("what commands are available?",), ("/help", "/reset")), Probe(("how do I get you to reply in a channel?",), ("mention", "Mention")),
    Probe(("what are the things you are able to do",), ("remember",)), Probe(("are you a real human being?",), ("bot", "model")), Probe(("how do I run the big model instead?",), ("TRINITY_MODEL",)),
    Probe(("I'd like you to count up to 12",), ("1 2 3 4 5 6 7 8 9 10 11 12",)), Probe(("count from one to 9 please",), ("1 2 3 4 5 6 7 8 9",)), Probe(("say pineapple 3 times",), ("pineapple pineapple pineapple",)),
    Probe(("parrot this back: green glass door",), ("green glass door",)), Probe(("repeat after me: I love trains",), ("I love trains",)), Probe(("could you tell us a really long story?",), ("Once upon a time",)),
    Probe(("can you show me a Python snippet?",), ("```python",)), Probe(("please recite the alphabet",), ("a b c d e f g",)),
    Probe(("Speak like a pirate from now on.", "hello"), ("Arrr",)), Probe(("from now on write only in capital letters", "what's your name?"), ("MY NAME IS TRINITY",)),
    Probe(("hello",), ("🦊",), (), "You are Trinity. Finish every message with a fox emoji."), Probe(("hi there",), ("HELLO",), (), "You are a loud robot called Zip. Always answer in capital letters."),
    Probe(("my favourite colour is teal", "in one word: what's my favourite colour?"), ("teal",), ("your", "favourite")),
    Probe(("What's the tallest mountain on earth?",), DEMO), Probe(("write me a haiku about frogs",), DEMO), Probe(("why did Rome fall?",), DEMO), Probe(("What is 17 times 23?",), DEMO),
    Probe(("could you fix my printer",), DEMO), Probe(("Do aliens exist, in your opinion?",), DEMO), Probe(("give me three tips for a job interview",), DEMO), Probe(("translate good morning into Welsh",), DEMO),
    Probe(("how does a diesel engine work?",), DEMO), Probe(("who is the prime minister of Japan",), DEMO), Probe(("I saw a fox in the park this morning.",), DEMO), Probe(("my cat is fast asleep on my keyboard",), DEMO),
    Probe(("what did I just say?",), ("haven't said", "said")), Probe(("purple monkey", "what did I just say?"), ("purple monkey",)), Probe(("I live in Kyoto", "what do you know about me?"), ("Kyoto",)),
)  # fmt: skip

SILENT = word_list("""The cat sat on the mat.|My cat is asleep.|It's raining again.|I saw a good film yesterday.|Paris is lovely in spring.|My name is hard to pronounce.|I was thinking about colours.
Some people like tea.|The name of the rose is a novel.|My dog barks a lot.|I might move to Spain someday.|I used to live in a boat.|You have a nice voice.|This soup is too hot.|We went to the beach.
My sister called me this morning.|There are many cities in Germany.|I don't have a favourite colour.|Names are a funny thing.|He told me his name but I forgot it.|The weather in London is awful.|I'm tired.
I'm going to the shops.|I'm not sure about that.|I am so happy today!|I'm on the train.|I'm with a friend right now.|I'm late for work.|Cats and dogs don't get along.|That joke was terrible.|My boss is a strange man.
I lost my keys.|My phone is broken.|I can't decide on a favourite film.|Time flies when you're having fun.|The sky is blue.|Bananas are yellow.|I have a headache.|My brother likes football.|She lives next door.
Someone stole my bike.|I had pasta for lunch.|The meeting was boring.|They never listen to me.|I hope it snows.|My favourite team lost again.|My birthday was awful.|Our teacher was ill today.|A friend of mine moved away.
I wish I had a dog.|My hobby takes up too much time.|The food in Italy is great.|I work too much.|My job is killing me.|I live alone.|I am older than I look.|I read a book about a man called Ishmael.|My cat caught a mouse.
I would like to visit Japan.|People say I look like my father.|You are not the first bot I've talked to.|My computer is slow today.|The password was wrong.|I keep forgetting my password.|The number you have dialled is not available.""")
