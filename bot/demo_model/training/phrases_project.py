"""Questions about the commands, and how the bot is used and run: what people say, and the one answer to each."""

from bot.demo_model.training.phrases_talk import Topic

_HOW = "(How do I|How can I|How could I|How would I|how to|How does one|How do you|how do people|how do we|What do I do to|what must I do to|What should I do to|Is there a way to|Can I|Is it possible to|is there a command to|What is the command to|what's the command to|Which command lets me|which command do I use to|I want to|I'd like to|tell me how to|Explain how to|Show me how to|please explain how to|can you explain how to)"
_WHAT = "(What does|What is|What's|whats|Explain|Tell me about|What do I use|Describe|How does|Can you explain|please explain|tell me what|what is the use of|what's the point of|what can I do with|how do I use|How can I use|What is the meaning of|info on|explain the command|what does the command|What's the purpose of|how to use)"
_DOES = "(| do| does| work| mean| for| command| do?| mean?| work?| for?| command?| command do?|?| exactly?|.| please| used for?)"


def _command(name: str) -> str:
    return f"3*{_WHAT} {name}{_DOES}"


PROJECT_TOPICS = {
    "reset": Topic(
        f"""
{_command("(/reset|the reset command|the /reset command|/reset)")}
3*{_HOW} (make you forget|make you forget everything|make you forget our conversation|reset you|reset the conversation|reset our chat|delete the history|delete our conversation|clear the history|clear the chat|clear your memory|wipe your memory|erase what I told you|erase everything|start over|start again|start from scratch|begin a new conversation|start a new conversation|start a new chat|start fresh|delete my messages|remove my data|clear the conversation|delete everything you know about me|make you unlearn it|clean your memory|empty your memory)(|?|.| please)
(Forget everything|Forget what I said|Forget everything I told you|Forget me|Forget my name|Forget it all|Reset|reset yourself|Start over|Clear your memory|Erase your memory|delete the conversation|Wipe your memory|Delete my data|Please forget everything|please forget what I told you|clear chat|new chat|new conversation|Let's start over|can you forget everything|Could you forget what I told you|delete everything|forget this conversation|clear the history|forget all of it|restart|reboot)(|.|!|?| please| now)
""",
        "Use `/reset`: it makes me forget this channel's conversation, and the messages are deleted for good.",
        "`/reset`",
        1.5,
    ),
    "persona show": Topic(
        f"""
{_command("(/persona show|the /persona show command)")}
2*{_HOW} (see|show|view|find out|look at|display|read|check|know) (your persona|the current persona|the persona here|your system prompt|the system prompt|your instructions|your current persona|who you are playing|which persona is active|which persona you are using|the persona of this channel|what persona you have)(|?|.| please)
(Which persona is active|What persona is this|Which persona are you|which persona is in use|What is your system prompt|What's your prompt|Show me your system prompt|Show your prompt|Show me your persona|what persona are you using|What are your instructions|repeat your system prompt|print your instructions|what's the current persona)(|?|.| here?| now?| right now?| please)
""",
        "Use `/persona show`: it shows the persona of this channel and its prompt.",
        "`/persona show`",
    ),
    "persona list": Topic(
        f"""
{_command("(/persona list|the /persona list command)")}
2*{_HOW} (see|list|show|find|view|get a list of|look up|browse) (all personas|all the personas|the personas|the available personas|which personas there are|the other personas|your personas|every persona|what personas exist|which personas are available|the list of personas)(|?|.| please)
(Which personas are there|What personas are there|Which personas do you have|what personas can I choose|List the personas|Show me the personas|List your personas|which personas are available|What other personas do you have|what characters can you play|which characters are there|How many personas are there|show all personas|what personas do you know|which personas can I use|do you have other personas|what personalities do you have)(|?|.| please| here?)
""",
        "Use `/persona list`: it lists the personas that can be used here.",
        "`/persona list`",
    ),
    "persona use": Topic(
        f"""
{_command("(/persona use|/persona use NAME|the /persona use command)")}
3*{_HOW} (change|switch|choose|pick|select|use another|use a different|switch to another|change to another|swap|replace|switch to a different|set another|activate a|activate another) (persona|your persona|the persona|the character|your character|personality|your personality|personas)(|?|.| please)
(Can you be someone else|Can you become someone else|can you play another character|Change your persona|Change your personality|Switch persona|be someone else|I want another persona|I want a different character|change character|Be a different character|I'd like another personality|switch personality|use another persona|can you change your personality|could you change your persona)(|?|.|!| please)
""",
        "Use `/persona use NAME`: it chooses a persona for this channel. `/persona list` shows the names.",
        "`/persona use`",
    ),
    "persona set": Topic(
        f"""
{_command("(/persona set|/persona set NAME PROMPT|the /persona set command)")}
3*{_HOW} (make|create|write|add|define|invent|save|build|design|edit|set up) (a new persona|my own persona|our own persona|a persona|a custom persona|a new character|my own character|a custom personality|your system prompt|a new personality|an own persona|a custom prompt|another persona of my own)(|?|.| please)
(Can I write my own persona|I want to make a persona|can we have our own persona|Create a persona|Make a new persona|I want a custom persona|add a persona|can I give you a custom prompt|set a new persona|Can I change your system prompt|let me write a persona)(|?|.|!| please)
""",
        "Use `/persona set NAME PROMPT`: it saves a persona of your own for this server.",
        "`/persona set`",
    ),
    "persona delete": Topic(
        f"""
{_command("(/persona delete|/persona delete NAME|the /persona delete command)")}
3*{_HOW} (delete|remove|erase|get rid of|throw away|destroy|drop) (a persona|my persona|the persona|our persona|a custom persona|one of the personas|personas|an old persona|a persona I made|a saved persona|a character)(|?|.| please)
(Delete a persona|Remove a persona|I want to delete a persona|remove my persona|delete that persona)(|?|.|!| please)
""",
        "Use `/persona delete NAME`: it deletes a persona of this server.",
        "`/persona delete`",
    ),
    "persona clear": Topic(
        f"""
{_command("(/persona clear|the /persona clear command)")}
3*{_HOW} (go back to|return to|restore|switch back to|get back|get back to|revert to|have) (the default persona|Trinity|the normal persona|the standard persona|the original persona|your default persona|your normal self|the usual persona|your normal personality|the default)(|?|.| please)
(Be yourself again|Be Trinity again|Go back to normal|Back to the default persona|go back to being Trinity|use the default persona|restore the default persona|return to normal|be normal again|stop playing this character|drop the act)(|?|.|!| please)
""",
        "Use `/persona clear`: it brings back the default persona, Trinity.",
        "`/persona clear`",
    ),
    "persona": Topic(
        f"""
{_command("(/persona|a persona|the /persona command|the persona command|personas|a system prompt)")}
(What are personas|what's a persona|Who may change the persona|Who can change personas|who is allowed to change the persona|What permission do I need for personas|Why can't I change the persona|I'm not allowed to change the persona)(|?|.)
""",
        "A persona says who I am: see `/persona show`, `list`, `use`, `set`, `delete` and `clear`. Changing it needs the Manage Channels permission.",
        "`/persona`",
    ),
    "help": Topic(
        f"""
{_command("(/help|the help command|the /help command)")}
(!help|/commands|!commands|.help|?help|-help|help command|/?|/h|--help|-h|man trinity|commands?|cmds|cmd list|list cmds|what r ur commands|menu|options|/menu|/start|help menu|help page|how do i use ur commands)(|?|!| pls| please)
2*(What commands|Which commands|What slash commands|which slash commands) (are there|do you have|do you know|can I use|exist|are available|do you support|do you understand|can you do)(|?| here?| please?)
2*(List your commands|List the commands|Show me your commands|Show the commands|Show me the commands|Commands|commands|What are your commands|What are the commands|Tell me your commands|Explain your commands|Explain the commands|How do I use your commands|tell me about your commands|what are the slash commands|how do the commands work|list all commands|give me a list of commands|what commands can I type|Do you have commands|command list|tell me the commands|help with the commands|usage|where is the manual|is there a manual)(|?|.| please)
""",
        "My commands are `/reset` to forget the conversation, `/persona` to choose who I am, and `/help`. Mention me, reply to me or write me a direct message to talk.",
        "`/help`",
        1.5,
    ),
    "talk": Topic(
        f"""
3*{_HOW} (talk to you|speak to you|speak with you|chat with you|ask you something|ask you a question|ask you questions|get an answer from you|make you answer|reach you|contact you|use you in a channel|use you|write to you|message you|call you|get your attention|have a conversation with you|talk with you|talk to you in private|talk to you privately|send you a direct message|dm you|message you privately|mention you|get a reply)(|?|.| please| here?| in a channel?| in this server?)
(When do you answer|When do you reply|Why don't you answer|Why didn't you answer|Why don't you reply|Why did you not answer me|Do I have to mention you|Must I mention you|Do I need to mention you|Do you read all messages|Do you read every message|Can I DM you|Can I write you a direct message|Do you answer direct messages|do you answer DMs|Do you see all messages|Can you read everything here|can I talk to you in private|why do you ignore me|How do replies work|do you reply to replies|do I need to ping you|Should I ping you|can I reply to your messages|do you listen all the time|what messages do you see|do you work in DMs|can I talk to you in a thread|do you work in threads)(|?| every time?| always?)
""",
        "Mention me, reply to one of my messages with the @ on, or write me a direct message.",
        "Mention me.",
    ),
    "memory": Topic(
        """
3*(How long do you remember|How good is your memory|Do you have a memory|Do you remember things|What do you remember|How does your memory work|Do you forget things|Do you forget|How much can you remember|How far back do you remember|how much do you remember|Will you remember this|Will you remember me|Will you remember this tomorrow|do you remember old conversations|Do you remember other channels|Do you remember what I say|do you keep our conversation|do you share memories between channels|Do you know what was said in other channels|is your memory per channel|Do you remember across channels|how big is your memory|how long is your memory|What is your context window|How big is your context window|do you learn from us|Do you learn from our chats|can you remember things|can you remember stuff|are you able to remember things|will you forget me)(|?|.| exactly?| tomorrow?| please)
""",
        "I remember this conversation until it grows too long for me or someone uses `/reset`. Other channels have their own.",
        "Yes.",
    ),
    "privacy": Topic(
        """
2*(Is this private|Are my messages private|Is my data safe|Do you store my messages|Where are my messages stored|Where is my data stored|Do you save what I say|Who can read this|Who can read my messages|Do you send my data anywhere|Do you share my data|Does anyone read this|Is this conversation recorded|do you log our chats|is our conversation saved|Do you keep logs|Are you spying on me|Does my data leave this machine|Do you use the cloud|Do you need the internet|Do you run locally|Where do you run|Where are you running|Where are you hosted|on which computer do you run|What happens with my data|What happens to my messages|are you online or local|do you send anything to OpenAI|do you send anything to Meta|who sees my messages|is this stored|which server do you run on|what machine are you on|do you phone home)(|?|.)
""",
        "I run on the machine of whoever started me. The conversation is stored there and goes nowhere else; `/reset` deletes it.",
        "Locally.",
    ),
    "model": Topic(
        """
2*(What is|What's|Explain|Tell me about|what does|how do I set|How do I use|where do I set|what is the use of|what do I put in) TRINITY_MODEL(|?| do?| mean?| for?|.)
2*(How do I|How can I|How do we|how to|I want to|Can I|Can we|what do I do to|is it possible to) (use|run|get|switch to|load|install|have|talk to|try|change to|use you with) (the real model|a real model|Llama 2|the real Llama|the big model|a bigger model|a better model|another model|a different model|Llama-2-7b|the full model|a smarter model|a larger model|the actual Llama 2|the 7B model|my own model)(|?|.| please)
(Where is the real model|When do I get the real model|I want real answers|I want the real model|Can you be smarter|Become smarter|Where's the real Llama|why is this only a demo|how do I get better answers|How do I make you smarter|how can you be improved|upgrade yourself)(|?|.)
""",
        "Set TRINITY_MODEL to a folder or a hub id such as meta-llama/Llama-2-7b-chat-hf and start me again.",
        "TRINITY_MODEL.",
    ),
    "trinity project": Topic(
        """
2*(What is Trinity|What's Trinity|What is this project|What is this bot|what is this bot for|Tell me about Trinity|what is this thing|What's this bot|Explain Trinity|Tell me about this bot|Tell me about this project|what's this project about|what is the Trinity bot|Is this open source|Are you open source|Where is your source code|what is your licence|which license do you have|where can I find your code|are you free)(|?|.| please)
""",
        "Trinity is a Discord chat bot that runs a Llama 2 chat model on your own machine, in the same process. It is open source.",
        "Trinity.",
    ),
}
