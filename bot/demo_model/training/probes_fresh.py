"""A third list of hand-written phrasings and statements, written before the patterns were widened again; kept out of them."""

from bot.demo_model.training.grammar import word_list
from bot.demo_model.training.probes import Probe, told, untold

DEMO = ("demonstration",)
FRESH_PROBES: tuple[Probe, ...] = (
    told("yo my names dave lol", "wait whats my name again", "dave"),
    told("Please refer to me as Henrietta, thank you.", "How do you refer to me?", "Henrietta"),
    told("hi trinity!! i am sunny 😊", "do you know my name?", "sunny"),
    told("Good evening. I am Dr. Osei.", "Do you remember my name?", "Osei"),
    told("for the record, I like the colour chartreuse best", "which colour do I like best?", "chartreuse"),
    told("fav food = poutine", "what's my favourite food?", "poutine"),
    told("Mine would be jazz; my favourite music is jazz.", "what is my favourite music?", "jazz"),
    told("pistachio is hands down my favorite ice cream flavor", "what's my favorite ice cream flavor?", "pistachio"),
    told("If I could only watch one movie forever, it'd be Amelie, my favourite movie.", "what's my favourite movie", "Amelie"),
    told("Home is a tiny flat in Trieste.", "where do I live?", "Trieste"),
    told("i'm currently living near Bristol", "where am i living?", "Bristol"),
    told("We relocated to Calgary two summers ago.", "what city do I live in?", "Calgary"),
    told("turning 40 was rough, but yes, I'm 40", "how old am I?", "40"),
    told("27, that's my age", "what's my age?", "27"),
    told("I teach; well, my job is teacher.", "what is my job?", "teacher"),
    told("By day I am a paramedic", "what do I do for a living?", "paramedic"),
    told("There's a ginger cat at my place; her name is Marmalade", "what's my cat's name?", "Marmalade"),
    told("we just got a puppy and named him Rocket", "what's my puppy called?", "Rocket"),
    told("My two-year-old son is called Emil", "what's my son's name?", "Emil"),
    told("my gf is called Nadia", "what's my gf's name?", "Nadia"),
    told("My grandmother's name was Ottilie.", "what was my grandmother's name?", "Ottilie"),
    told("I do pottery on Thursdays, it's my hobby", "what's my hobby?", "pottery"),
    told("im really into vintage synths", "what am I into?", "vintage synths"),
    told("ugh, I can't stand coriander", "what can't I stand?", "coriander"),
    told("careful, I'm allergic to peanuts!", "what am I allergic to?", "peanuts"),
    told("I've got three cats", "which pets do I have?", "three cats"),
    told("I play bass in a metal band", "what do I play?", "bass"),
    told("I ride a green Vespa to work", "what do I ride?", "Vespa"),
    told("Our meeting point is the old fountain. Remember the meeting point.", "what's the meeting point?", "fountain"),
    told("remind me later that I have to water the ferns", "what did I ask you to remember?", "ferns"),
    told("pls note: invoice 2231 is still open", "what's my note?", "2231"),
    told("The code for the door is 4482", "what's the code for the door?", "4482"),
    told("my bday is 14 november", "when is my birthday?", "14 november"),
    Probe(("I'm Nell, 31, and I live in Porto", "what's my name?"), ("Nell",)),
    Probe(("My name is Ivo and this is my first day here.", "lol ok", "hmm", "what did I say my name was?"), ("Ivo",)),
    Probe(("my favourite animal is the otter", "what do you know about me?"), ("otter",)),
    Probe(("I live in Graz. I work as a tailor. I have a dog called Muck.", "Where do I live?"), ("Graz",)),
    Probe(("Kim: I'm allergic to cats", "Lou: what is Kim allergic to?"), ("cats",)),
    Probe(("Kim: i live in Derry", "Lou: who lives in Derry?"), ("Kim",)),
    Probe(("Kim: good morning everyone", "Lou: what did Kim say?"), ("good morning everyone",)),
    Probe(("Kim: my name is actually Kimberly", "Kim: what's my name?"), ("Kimberly",)),
    untold("guess what my job is"), untold("can you tell me what my cat is called"), untold("whats my bday"), untold("do you know what I like?"),
    Probe(("are you chatgpt",), ("demonstration", "bot")), Probe(("who made you?",), ("demonstration", "bot")), Probe(("can you remember things?",), ("remember", "conversation")),
    Probe(("is my data safe with you",), ("machine", "conversation")), Probe(("how do i start a new conversation with you",), ("/reset",)), Probe(("hellooo anyone here",), ("Hello",)),
    Probe(("thx bud",), ("welcome",)), Probe(("brb dinner",), ("Goodbye", "All right", "demonstration")), Probe(("what's the boiling point of water?",), DEMO), Probe(("who would win, a bear or a shark?",), DEMO),
    Probe(("my code throws a segfault, why?",), DEMO), Probe(("give me a name for my band",), DEMO), Probe(("how many planets are there?",), DEMO), Probe(("was ist 5 mal 5?",), DEMO),
    Probe(("2x + 3 = 11, what is x?",), DEMO), Probe(("spell banana backwards",), DEMO), Probe(("what's your favourite animal?",), DEMO), Probe(("is it true that goldfish forget everything?",), DEMO),
)  # fmt: skip

FRESH_SILENT = word_list("""My neighbour's dog keeps digging up my tulips.|I nearly adopted a cat once.|There was a snake on the path.|Somebody left a kitten on our doorstep.|A dog would be too much work for me.|My cat threw up on the carpet.
Half of my goldfish died in the heat.|Pets are expensive.|The vet was very friendly.|He owns more horses than he can ride.|My grandmother had a parrot that swore.|I keep dreaming about wolves.
My job interview went badly.|I applied for a job at the library.|Being a nurse must be hard.|My uncle used to be a pilot.|I got fired on Monday.|Work is slow this week.|Plumbers earn good money.|She wants to become an actress.
My birthday cake collapsed.|Birthdays make me sad.|It was my brother's birthday yesterday.|Everybody forgot my birthday last year.|I don't celebrate birthdays.|We sang happy birthday to the wrong person.
The number on the door has fallen off.|My phone number was in the wrong column.|Seven is a prime number.|The code compiles but does nothing.|I typed the wrong password three times.|That number looks suspicious.|Two plus two is four.
Edinburgh was full of tourists.|I got lost in Venice.|The bridge to the island is closed.|Somebody from Canada wrote to me.|The train to Hamburg was cancelled.|I've never been to Africa.|Everyone in my town is talking about it.
People are always asking how old I am.|Nobody believes me when I say my name.|Somebody called my name in the crowd.|No one knows where I live.|People think I work too little.|Anyone could have guessed my age.|Nobody asked what I like.
My name was on the guest list.|My name got cut off on the ticket.|Names are hard to remember.|My surname is always misspelled.|They spelled my name wrong again.|My favourite pub burnt down.|My favourite pen ran out of ink.
My favourite part was the ending.|My least favourite day starts now.|My hobby room is a mess.|My city council is useless.|My country needs better trains.|My language teacher shouted at me.|My sister's wedding was lovely.
My brother's new car is loud.|My mother worries too much.|My son won't eat his peas.|My wife just got home.|My colleague quit.|My cousin owes me an apology.|My boss thinks I'm lazy.|My friends are waiting outside.|My husband snores.
I have too many tabs open.|I have never understood cricket.|I have to be up at five.|I had three coffees before nine.|I've seen that film twice.|I've been sitting here for hours.|I have a flight to catch.|I have a stone in my shoe.
I like how quiet it is today.|I love that for you.|I hate to say it, but you're right.|I hate when the bus is late.|I don't like being ignored.|I'd like a word with the manager.|I would love to sleep.|I enjoyed the party last night.
I live for moments like this.|I live too far from the sea.|I'm from a big family.|I was born with two left feet.|I come from work.|I'm with the band.|I'm not a morning person.|I'm no expert.|I'm nobody.|I'm all ears.|I'm next in line.|I'm getting married!
I drive past your house every day.|I play it safe.|I read that somewhere.|I speak from experience.|I use too much salt.|I run late all the time.|I eat when I'm bored.|I write badly when I'm tired.|I fly tomorrow.|I sing in the shower.
"My name is Bond" is a famous line.|He said "I live in a castle".|She told me that she loves cheese.|They claim to be from Norway.|My friend says he's 40.|Tom thinks that red suits him.|It isn't my dog.|That's not my name.|Blue isn't really a colour for cars.
The secret is out.|The plan has changed again.|The answer is never simple.|The key doesn't fit.|The address is hard to find.|The theme was strange.|The winner cried.|The prize was a joke.|The captain fell asleep.|The gate is closed.""")
