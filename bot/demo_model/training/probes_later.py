"""A fourth list of statements that tell nothing, written before the patterns were widened for the last time.

Its sentences are kept out of the training; of some that an earlier model got wrong, patterns of the same kind were made.
"""

from bot.demo_model.training.grammar import word_list

LATER_SILENT = word_list("""I came close to buying a horse in May.|We were going to adopt a puppy, but we didn't.|I almost had a dog as a child.|My ex took the cat with her.|I once had a hamster for a day.|A parrot landed on my balcony.
I got the code wrong twice.|The door code was never any use.|The lost key turned up in the fridge.|The wrong address was on the parcel.|Our old password was a joke.|The answer came too late.|The score was a disappointment.
The budget is a mess.|The theme is up to the organisers.|The deadline is too close.|The winner is unknown.|The password is wrong.|The plan is falling apart.|The menu is in French only.
I fly back on Thursday.|I drive home after the match.|I ride past the church sometimes.|We drive to the coast next week.|I run to the bus every morning.|I walk by your office a lot.|I sail at dawn.
My favourite bit was the chase scene.|My favourite moment was when the lights went out.|The best part was the food.|My favourite scene comes at the end.|My favourite shirt shrank in the wash.|My favourite shop closes at six.
My name came up in the meeting.|My name means nothing to them.|Your name rings a bell.|I forgot to put my name on it.|My job starts before sunrise.|My job keeps me busy.|My city is flooded again.|My birthday falls on a workday.
I study better at night.|I teach on Tuesdays only.|I cook when guests come.|I read with glasses.|I eat out a lot.|I write with my left hand.|I collect my parcel tomorrow.|I build up slowly.|I sell nothing today.
I'm between jobs.|I'm from out of town.|I'm on the night shift.|I'm off to the dentist.|I live out of boxes.|I work under pressure.|I speak too fast when nervous.|I have a bus to catch.|I have a bone to pick with you.|I like it loud.|I hate it there.|I like what they did here.""")
