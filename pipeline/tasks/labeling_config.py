"""What a reviewer does with a task, and the labeling configuration that Label Studio needs for it.

One configuration per kind serves every task of the kind, with one speaker or ten, with a language
identified or none: what differs between tasks comes out of the task (`$speakers`, `$languages`).
Label Studio (1.23) then wants both in every task, shows nothing for an empty list, and checks no
label against a list of its own; a fixed label beside them would make its strict check refuse all
the others.
"""

from __future__ import annotations

from pipeline.model import TaskKind

AUDIO = "audio"
TRANSCRIPTION = "transcription"
TEXT = "text"
SPEAKER = "speaker"
LANGUAGE = "language"
"""The names of the audio and of what is edited, in configurations, predictions and annotations."""


# What the template "Automatic Speech Recognition" has, but a text that is edited where it stands:
# the template's own box adds a second one.
_TRANSCRIPT = f"""\
<View>
  <Audio name="{AUDIO}" value="$audio"/>
  <TextArea name="{TRANSCRIPTION}" toName="{AUDIO}" rows="4" editable="true" maxSubmissions="1"/>
  <Choices name="{LANGUAGE}" toName="{AUDIO}" value="$languages" choice="single"/>
</View>
"""

# Without displayMode a segment's text is hidden until it is clicked.
_SEGMENTS = f"""\
<View>
  <Audio name="{AUDIO}" value="$audio" splitchannels="true"/>
  <Labels name="{SPEAKER}" toName="{AUDIO}" value="$speakers"/>
  <TextArea name="{TEXT}" toName="{AUDIO}" perRegion="true" rows="2" editable="true" \
maxSubmissions="1" displayMode="region-list"/>
  <Choices name="{LANGUAGE}" toName="{AUDIO}" value="$languages" choice="single"/>
</View>
"""

_CONFIGURATIONS = {TaskKind.TRANSCRIPT: _TRANSCRIPT, TaskKind.SEGMENTS: _SEGMENTS}


def labeling_config(kind: TaskKind) -> str:
    """The labeling configuration of a project for tasks of this kind: XML, ending in a newline."""
    return _CONFIGURATIONS[kind]
