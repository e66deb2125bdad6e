"""What people type in the first minutes, word for word: short, and far more often than any longer wording."""

from bot.demo_model.training.grammar import word_list

COMMON = {
    topic: word_list(words)
    for topic, words in {
        "okay": "ok|OK|Ok|okay|k|kk|lol|LOL|lmao|haha|hahaha|hehe|ha|xd|XD|nice|cool|sure|yes|no|yep|nah|nope|yeah|hm|hmm|hmmm|oh|ah|i see|I see|fine|great|good|right|true|alright|got it|interesting|sorry|oops|np|nvm|whatever|you're welcome|youre welcome|yw|👍|👌|😂|🙂|😄|exactly|indeed|of course|maybe|idc|fair|makes sense|ok ok|ok cool|cool cool|lol ok|ok lol|haha nice|haha ok|yes please|no thanks|good to know|not much|that's all|all good|rofl|mhm|ok fine|go on|👍👍|nice one|okay!|sweet|you too",
        "hello": "hi|Hi|hey|Hey|yo|sup|heya|hiya|hii|hi!|hey!|Hi!|hello there|hey there|good morning|good evening|morning|gm|test|ping|👋|hola|hi bot|hey bot|hello bot|hi all|howdy|hi again|hey hey|oi|hullo|anyone there?|are you there?|u there|you here?|hi trin|hey trin|trin|hi everyone|wake up|hallo|bonjour|ciao|hi :)|hey :)|greetings|good afternoon|hello hello|say hi|hi :D|say hello",
        "thanks": "thanks|Thanks|thank you|Thank you|thx|ty|tysm|tyvm|thanks!|thank you!|ty!|thx!|cheers|thanks a lot|thank u|tnx|thank you so much|many thanks|thanks bot|ty bot|thank you bot|thanks man|thanks bro|ok thanks|okay thanks|ok ty|cool thanks|great, thanks|nice, thanks|perfect thanks|thanks again|🙏|much appreciated|ta|merci|danke|gracias|thank you very much",
        "bye": "bye|Bye|bye!|goodbye|cya|see you|see ya|gn|good night|night|gtg|brb|bb|ttyl|later|bye bye|bye bot|see you later|cu|i'm off|im off|gotta go|g2g|bye for now|good bye|goodnight|goodnight!|afk|peace|take care|ok bye|okay bye|bye everyone|bye all|see you tomorrow|cheerio|adios|tschüss|ciao ciao",
        "abilities": "what can you do|what can you do?|What can you do?|what can u do|what do you do|what do you do?|help|Help|help!|help me|how does this work|how does this work?|how do i use this|how do I use this?|how do i use you|how do I use you?|how do you work|how do you work?|what are you for|what is this for|how to use this|how do i start|how do I start?|where do i start|what can i ask you|what can I ask?|i need help|can you help me|can you help me?|what should i do here",
        "are you a bot": "what are you|what are you?|What are you?|are you a bot|are you a bot?|are you human|are you human?|are you an ai|are you an AI?|are you real|are you real?|are you gpt|are you llama|who made u|who created you|who built you|who's your creator|who is your creator|who coded you|who wrote you|who trained you|who developed you|which model are you|what model are you|what llm is this|what model is this|are you smart|how smart are you",
        "who are you": "who r u|who are u|who dis|tell me about yourself|and you?|who is this bot|who's this bot",
        "your name": "whats your name|what is your name|What is your name?|your name?|ur name|what are you called",
        "how are you": "how are you|how are you?|How are you?|how r u|how are u|hru|what's up|whats up|what's up?|how's it going|hows it going|how is it going?|you ok?|how are you today|how are you doing|wyd|what are you doing|what are you doing?|what are you up to",
        "compliment": "good bot|wow|Wow|wow!|nice job|well done|i love you|love you|you're cool|you're funny|amazing|awesome|correct|that's right|good job|impressive|you're great|i like you|❤️|❤|you are the best",
        "insult": "bad bot|you suck|shut up|you're dumb|youre dumb|stupid bot|wrong|that's wrong|you're wrong|useless|you're useless|stupid|idiot|i hate you|boo|nope wrong",
        "joke": "joke|tell me a joke|tell a joke|a joke please|joke pls|make me laugh|another one|tell me another one|one more joke|another joke",
    }.items()
}
