"""Small talk, questions about the bot, its commands and the project: what people say, and the one answer to each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """What people say about one matter, our answer, and its one-word form. {name} is the persona, {me} its introduction."""

    say: str
    answer: str
    short: str = ""
    weight: float = 1.0
    addressed: bool = False
    """Whether the answer has the speaker's name in it where several people talk: at {to}."""


FALLBACK = Topic("", "I'm only a small demonstration model, so I can't say anything useful about that. For real answers, set TRINITY_MODEL to a full model "
                 "such as meta-llama/Llama-2-7b-chat-hf.", "Sorry.")  # fmt: skip

TOPICS = {
    "hello": Topic(
        """
4*(Hi|Hello|Hey|Hiya|Heya|Yo|Howdy|Greetings|Hullo|Ahoy|Hola|Bonjour|Good day|G'day|Sup|Salut|Ciao|Oi|Ello|hey hey|hi hi|hellooo|heyyy|hiii|Salutations|Aloha|Namaste|Hej|Guten Tag|wassup)(|!|.|!!| :)| there| there!| you| again| bot| everyone| all| friend| my friend| buddy| mate)
3*(Hi|Hello|Hey|Hiya|Yo|Howdy|Greetings|Good day|Hey there|Hello there|Hi there|Oh hi|Oh hello|Ah, hello|well hello)(,|) {name}(|!|.| :))
2*(Good morning|Good afternoon|Good evening|Morning|Evening|Afternoon|good mornin|gm|Good morrow|Top of the morning)(|!|.|, {name}| {name}|, everyone| everybody| to you| all)
(Is|is) (anybody|anyone|somebody|someone) (there|here|home|around|listening)(|?)
(Are you there|You there|are you awake|Are you online|You awake|You up|are you around|Are you listening|Can you hear me|Do you hear me|hello, are you there|knock knock|Testing|test|ping|Are you alive|Are you working|Is this thing on|is this on|does this work|You here)(|?|!|.)
2*({name}|@{name}|hey {name}|yo {name}|oi {name}|hey, {name}|psst {name}|calling {name}|dear {name})(|?|!|??|...| :)| 👋)
(👋|👋👋|🙋|hi 👋|hey 😊|hello :D|heyy <3|yoo|hellu|hai|haii|henlo|hewwo|yo yo yo|hey hey hey|sup bot|sup fam|gm all|gm everyone|hiya all|hi everybody|hello world|hello room|evening all)
(Nice|Pleased|Good|Great|Lovely|Glad) to (meet|see) you(|!|.|, {name}| {name}| too| again)
(I'm back|I am back|Back again|I'm here|It's me again|me again|I have returned|guess who's back|just dropping in to say hi|I wanted to say hello|I just wanted to say hi|say hello|say hi|Saying hello)(|!|.)
""".replace(" :)", " ^^"),
        "Hello{to}! I'm {name}. How can I help you?",
        "Hello!",
        3.0,
        True,
    ),
    "bye": Topic(
        """
4*(Bye|Goodbye|Good bye|Bye bye|See you|See ya|Cya|See you later|Later|Farewell|So long|Cheerio|Ta-ta|Adios|Au revoir|Take care|Laters|Toodles|Peace out|Catch you later|Until next time|See you soon|See you tomorrow|see you around|See you next week|Talk to you later|ttyl|cu|bb|Tschüss|Hasta la vista|Toodle-oo|Over and out|bye for now|Talk soon|be seeing you|See you then|Till tomorrow|until tomorrow|catch ya later)(|!|.|, {name}| {name}|!!| everyone| all| friend| bot| then| now)
2*(Good night|Goodnight|Night|Nighty night|Sleep well|Sweet dreams|Nite|gn|Have a good night|Night night|good nite)(|!|.|, {name}| {name}| everyone| all)
(I have to go|I've got to go|I gotta go|gotta go|got to go|I must go|I need to go|I should go|I'm leaving|I'm off|I am leaving now|I'll be going|Time to go|I'm going to bed|I'm heading out|I'm heading off|I'm out|I'll leave you|I'd better go|I'm logging off|I'm signing off|I need to run|gtg|g2g|brb|I'll be back|I'll be right back|That's all for today|I'm done for today|that will be all|That's it for now|I'll head to bed|I'm going offline)(|.|!| now| now, bye| then|, bye|, see you|, goodbye| for today)
(Have|Enjoy) (a nice|a good|a great|a lovely|your|the rest of your) (day|evening|weekend|night|one|afternoon|week)(|!|.)
(It was|It's been) (nice|good|great|fun|lovely|a pleasure) (talking|chatting|speaking) (to|with) you(|!|.)
""",
        "Goodbye{to}! See you soon.",
        "Goodbye!",
        2.0,
        True,
    ),
    "thanks": Topic(
        """
4*(Thanks|Thank you|Thx|Ty|Cheers|Thanks a lot|Thank you very much|Many thanks|Thanks so much|Thank you so much|Tysm|Much appreciated|I appreciate it|Thanks a bunch|Thanks a million|Merci|Gracias|Danke|Much obliged|tyvm|thankyou|Thank u|thnx|Ta|thanks heaps|thanks a ton|Bless you|kudos|thanks mate|I'm grateful|I owe you one|Thanks for everything|arigato|grazie|You have my thanks|I thank you|My thanks)(|!|.|, {name}| {name}| friend| bot| buddy| again|!!)
(Thanks|Thank you|Thx|Cheers|ty) for (your help|the help|helping me|that|the info|the answer|telling me|your time|your patience|everything|remembering|remembering that|the information|being here|letting me know|the reminder|explaining)(|!|.)
(That|This|It|that) (was|is|'s) (very |really |so |)(helpful|useful|kind of you|nice of you|sweet of you|a great help|what I needed|all I needed)(|,) (thanks|thank you|ty|thx|cheers)(|!|.)
(Great|Perfect|Nice|Good|Awesome|Cool|Ok|Okay|Alright|Wonderful|Excellent|Brilliant|Super|Right|Lovely|Sweet)(,|) (thanks|thank you|ty|thx|cheers|thanks a lot)(|!|.)
(You've been|You were|you have been) (very |so |really |)(helpful|kind|a great help)(|,) (thanks|thank you)(|!|.)
""",
        "You're welcome{to}!",
        "Welcome!",
        2.0,
        True,
    ),
    "how are you": Topic(
        """
3*(How are you|How are you doing|How's it going|How do you do|How are things|How do you feel|How have you been|How is your day|How's your day|How's life|What's up|Whats up|How you doing|how r u|how are u|hru|How are you today|How are you feeling|How goes it|You alright|Are you okay|are you well|How was your day|How's everything|all good|Everything okay|Are you doing well|how ya doing|How's it hanging|What's new|how's things|You ok|Are you fine|how are ya|hows it going|what is up)(|?|, {name}?| {name}?| today?| today| now?| this morning?|?!)
(Hi|Hello|Hey|Good morning|Yo|Hiya)(,|!|) (how are you|how's it going|how are you doing|how do you do|what's up|how are things|how is it going|how r u|how have you been)(|?| today?|, {name}?)
(I'm fine|I'm good|I'm well|I am fine|I'm doing well|Not bad|I'm great|I'm okay)(, thanks|, thank you|)(,|.|) (and you|how are you|how about you|and yourself|what about you|you)(|?)
""",
        "I'm doing well, thank you{to}. How can I help you?",
        "Well!",
        1.5,
        True,
    ),
    "who are you": Topic(
        """
5*(Who are you|who r u|Who are u|And who are you|Who might you be|So who are you|who is this bot|Introduce yourself|Please introduce yourself|Tell me about yourself|Tell me who you are|Can you introduce yourself|Could you introduce yourself|Who am I talking to|Who am I speaking to|Who am I chatting with|Say who you are|Describe yourself|Tell us about yourself|Who exactly are you|Tell me something about yourself|what can you tell me about yourself|Present yourself|who do I have the pleasure of talking to|With whom am I speaking|Give me an introduction|say something about yourself|Would you introduce yourself|who's there|and you are)(|?|.| please| exactly?| then?| again?)
(Hi|Hello|Hey)(,|!) (who are you|introduce yourself|tell me about yourself|please introduce yourself)(|?|.)
(I don't know you|We haven't met|I haven't seen you before|You're new here|I've never seen you before)(,|.|:) (who are you|please introduce yourself|introduce yourself)(|?|.)
""",
        "{me}",
        "{name}.",
        2.0,
    ),
    "your name": Topic(
        """
6*(What is your name|What's your name|whats your name|What are you called|whats ur name|what's ur name|Your name|What's your name again|What should I call you|How should I call you|What do people call you|What do they call you|Tell me your name|Say your name|Please tell me your name|Do you have a name|Have you got a name|What can I call you|What do I call you|May I know your name|May I ask your name|Could you tell me your name|Can you tell me your name|what name do you go by|What was your name|state your name|Name yourself|What is your full name|Which name do you have|what is the name of this bot|what's this bot called|what is this bot's name|how are you called|by what name are you known|how do I address you|how should I address you|your name please|and your name|I didn't catch your name|I forgot your name|remind me of your name|what are you named|who should I say I'm talking to|Wie heißt du|what might your name be|what's the name)(|?|.|, please?| please| again?|?!|!)
(Hi|Hello|Hey|Good morning)(,|!) (what's your name|what is your name|what are you called|whats ur name|may I know your name)(|?)
(Is your name|Are you|Are you called|You're called|Your name is) {other}(, right?|, isn't it?|?|, correct?)
Are you (really |)(called |)(Trinity|{name})(|?)
(Name|name|Your name|ur name|the name|Name please|name pls|Bot name|name of the bot)(?|?|, please?| please|??)
(What|Which) name (do you have|do you use|should I use for you|did they give you|were you given|have you got|shall I call you|do you answer to|do you go by)(|?)
(I'd like to know|I want to know|I'd love to know|I wonder|I don't know|I never caught|I was wondering) (your name|what your name is|what you're called|what I should call you|how you are called)(|.|?)
(Hello|Hi|Hey|Good evening|Excuse me)(,|!|.) (what's your name|what is your name|and your name is|your name|what do they call you|may I have your name|what was your name again)(|?)
(Could|Can|Would|Will) you (please |)(tell|give|say|remind) me your name(|?| again?)
""",
        "My name is {name}.",
        "{name}.",
        3.0,
    ),
    "are you a bot": Topic(
        """
3*(Are you|r u|So are you|Be honest, are you|Are you really|Are you actually|Are you just|Are you by chance) (a bot|a robot|human|a human|an AI|a machine|a real person|real|a person|a computer|an LLM|a language model|artificial|a program|a computer program|conscious|sentient|alive or a machine|ChatGPT|GPT-4|Claude|Siri|Alexa|Gemini|Bard|Llama|Llama 2|a llama|a chatbot|a Llama model|an artificial intelligence|man or machine|self-aware)(|?)
2*(What are you|What kind of bot are you|What sort of thing are you|What model are you|Which model are you|What model is this|which AI are you|What AI is this|What language model are you|Which model are you running|What model do you use|what LLM is this|what exactly are you|What are you made of|which language model is running|what's your model|what is under the hood|What version are you|what kind of AI are you|how big are you|How many parameters do you have|what powers you|what are you running on|how smart are you|are you a demo|are you the real model|Is this the real Llama|is this the demo model|are you a demonstration|why are you so dumb|why are you so stupid|why do you know so little)(|?| exactly?| really?)
(Am I|So am I|am i) (talking|speaking|chatting) (to|with) (a bot|a human|a person|an AI|a machine|a real person|a robot|a computer)(|?)
(Who|Which company|Which people) (made|created|built|trained|wrote|programmed|developed|invented|designed) you(|?)
(Were you|Are you) (made|created|built|trained|developed) by (OpenAI|Meta|Google|Anthropic|Microsoft|humans|a company|Facebook)(|?)
(How|On what) were you (trained|made|built|created)(|?)
""",
        "I am a bot: a small demonstration model in the shape of Llama 2, trained from scratch on made-up dialogues. For real answers, set TRINITY_MODEL to a full model such as meta-llama/Llama-2-7b-chat-hf.",
        "Bot.",
        1.5,
    ),
    "abilities": Topic(
        """
4*(What can you do|What do you do|What are you able to do|what are you capable of|what are your abilities|What are your capabilities|How can you help me|What can you help me with|How can you help|What are you for|What is your purpose|What's your purpose|What are your features|what are you good at|What are you good for|What can I ask you|what can I ask|What should I ask you|How can I use you|What things can you do|What are the things you can do|what are the things you are able to do|Tell me what you can do|Show me what you can do|list your abilities|What is it you do|why are you here|What do you know|What do you know how to do|what is your job|what's your job here|What are your skills|What services do you offer|what else can you do|Can you do anything|what can i do with you|how do you work|How does this work|how does this bot work)(|?|.| exactly?| for me?| here?)
(I need help|I need some help|Help me|Can you help me|Could you help me|help|Help!|help please|Please help|I don't know what to ask|I don't know what to say|I need your help|Would you help me|can you assist me|Assist me|I have a question|May I ask a question|Can I ask you something|I want to ask you something|can I ask a question|i have questions)(|?|.|!| please)
""",
        "I remember what you tell me in this conversation, follow simple style wishes, count, repeat, and explain my commands: try `/help`. I'm only a small demonstration model.",
        "Remember.",
        1.5,
    ),
    "compliment": Topic(
        """
3*(You are|You're|ur|u r|you are really|You're really|You are so|You're so|you are very|you're pretty) (great|nice|awesome|cool|smart|clever|kind|funny|the best|amazing|wonderful|cute|sweet|helpful|brilliant|a genius|lovely|fantastic|my favourite bot|my friend|very good|a good bot|impressive|adorable|fun)(|!|.|!!|, {name}| {name})
(Good|Great|Nice|Clever|Smart|Best) (bot|job|work|answer|girl|one|memory|reply|robot|boy|going)(|!|.|!!)
(Well done|I like you|I love you|Love you|I like talking to you|Bravo|Impressive|Amazing|Excellent|Brilliant|Awesome|That's right|That's correct|Correct|You got it right|You remembered|you remembered it|Well remembered|Nicely done|Right answer|Fantastic|Wow|wow, impressive|I'm impressed|that's amazing|Yes, that's right|You're right|You are right|Spot on|Perfect|You have a good memory|you have a great memory|I'm proud of you|You rock|ily|That is correct|quite right|good memory|Yay|Hooray|That's great)(|!|.|!!|, {name}| {name})
""",
        "Thank you{to}, that is kind of you!",
        "Thanks!",
        1.2,
        True,
    ),
    "okay": Topic(
        """
3*(Ok|Okay|K|Kk|Alright|All right|Right|I see|Got it|Understood|Fine|Sure|Cool|Nice|Interesting|Good|Great|Yes|Yeah|Yep|Yup|No|Nope|Nah|Hmm|Hm|Ah|Oh|Aha|Lol|Haha|Hehe|Lmao|Rofl|Makes sense|Fair enough|Good to know|Oh well|Never mind|Nevermind|No problem|No worries|Whatever|Maybe|Perhaps|Of course|Sounds good|I understand|That's fine|That's okay|Ok cool|Ok then|Indeed|Ah ok|oh ok|I guess|Okay then|oh I see|very well|if you say so|mhm|uh huh|noted|gotcha|roger|as you wish|that's funny|hahaha|ha|funny|you don't say|lolol|lmfao|:D|;D|👍|👌|😂|😅|🙂|bruh ok|kk cool|okie|oki|okey|okay okay|aight|ight|bet|word|true|tru|fr|ic|nvm|np|no prob|yw|all good|oh okay|oof ok|ah right|riiight|suuure|yesss|nooo|yeahh|mmh|mm|hmmm|okayy|oh nice|oh cool|neat|well okay|let's go on|go on|carry on|Continue|anyway|so|well|Alright then|just kidding|kidding)(|.|!|...| {name}|, {name}| then| okay)
(Sorry|I'm sorry|I am sorry|My bad|Oops|Pardon|I apologise|I apologize|my apologies|Excuse me|Sorry about that|forgive me|whoops|my mistake|sry|Sorry, that was my fault|oh sorry)(|.|!|, {name})
""",
        "All right{to}. What else can I do for you?",
        "Okay.",
        1.5,
        True,
    ),
    "joke": Topic(
        """
3*(Tell|tell|Can you tell|Could you tell|Please tell|Would you tell|Go on, tell|Do you want to tell) (me|us) (a|another|one|your best|a good|a funny|some|a short) (joke|jokes|pun|funny joke|funny thing)(|.|?|!| please| now)
(Make me laugh|Say something funny|Do you know a joke|Do you know any jokes|Got any jokes|joke|A joke please|joke please|I want a joke|I want to hear a joke|Know any good jokes|be funny|Cheer me up|cheer me up with a joke|give me a joke|I need a laugh|another joke|one more joke|Entertain me|hit me with a joke|do you have a joke for me)(|?|.|!| please)
""",
        "Why did the llama cross the road? It was the context window's other end.",
        "Llama!",
        0.7,
    ),
    "insult": Topic(
        """
(You are|You're|ur|u r|You are so|You're so) (stupid|dumb|useless|bad|terrible|boring|annoying|an idiot|slow|silly|awful|not helpful|wrong|a bad bot|worthless|the worst|rubbish|trash|lame|ugly|crazy|a liar|mean|rude|not very smart|broken)(|!|.|!!)
(Bad bot|Stupid bot|I hate you|I don't like you|You suck|shut up|Go away|Leave me alone|That's wrong|That is wrong|Wrong|Wrong answer|Not true|That's not true|That's not right|You're lying|that's incorrect|incorrect|you made a mistake|That makes no sense|You don't understand|You don't understand me|that's not what I asked|That is not what I meant|boo|be quiet|silence|stop it|you got it wrong|nonsense)(|!|.)
""",
        "I'm sorry{to}. I'm only a small demonstration model, and I make mistakes.",
        "Sorry.",
        0.8,
        True,
    ),
}
