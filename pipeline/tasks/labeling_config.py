"""What a reviewer does with a task, and the labeling configuration that Label Studio needs for it.

One configuration per kind serves every task of the kind, with one speaker or ten, with a language
identified or none: what differs between tasks comes out of the task (`$speakers`, `$languages`).
Label Studio (1.23) then wants both in every task, shows nothing for an empty list, and checks no
label against a list of its own; a fixed label beside them would make its strict check refuse all
the others. What reviewers say beside the text (`issue`, `verdict`, `note`) no prediction fills in.
"""

from __future__ import annotations

from pipeline.model import TaskKind

AUDIO = "audio"
TRANSCRIPTION = "transcription"
TEXT = "text"
SPEAKER = "speaker"
LANGUAGE = "language"
"""The names of the audio and of what is edited, in configurations, predictions and annotations."""


# Label Studio (1.23) strips ">" from a style, so there are descendant selectors alone.
_ONE_TEXT = """\
  <Style>
    textarea[name^="transcription"] { height: calc(100vh - 500px) !important; min-height: 7em; \
unicode-bidi: plaintext; text-align: start; line-height: 1.7; font-size: 16px; }
    .lsf-sidepanels:has(.lsf-outliner) { padding-right: 0 !important; }
    .lsf-sidepanels__wrapper_align_right:has(.lsf-outliner) { display: none; }
  </Style>"""

# The list of regions takes more than half of the page: a line each, speaker and text side by side.
_LIST = """\
  <Style>
    .lsf-sidepanels:has(.lsf-sidepanels__wrapper_align_right .lsf-outliner) \
{ padding-right: 58% !important; }
    .lsf-sidepanels__wrapper_align_right:has(.lsf-outliner) { width: 58% !important; }
    .lsf-sidepanels__wrapper_align_right:has(.lsf-outliner) .lsf-tabs-panel \
{ width: 100% !important; height: 236px !important; }
    .lsf-sidepanels__wrapper_align_right .lsf-tabs-panel:has(.lsf-outliner) \
{ height: calc(100% - 236px) !important; }
    .lsf-outliner-item { display: flex !important; gap: 6px; }
    .lsf-outliner-item__content { flex: 0 0 132px; }
    .lsf-outliner-item__ocr { flex: 1; }
    .lsf-outliner-item__wrapper { width: 26px; }
    .lsf-outliner-item__control_type_lock, .lsf-tree-icon__customize { display: none !important; }
    .lsf-textarea-tag textarea { unicode-bidi: plaintext; text-align: start; }
  </Style>"""

_VERDICT = f"""\
  <Choices name="verdict" toName="{AUDIO}" choice="single" showInline="true">
    <Choice value="clear" hotkey="7"/>
    <Choice value="noisy" hotkey="8"/>
    <Choice value="unusable" hotkey="9"/>
  </Choices>"""

_HEADER = """\
  <Header value="$recording" size="5"/>
"""

# `transcription` leaves the box open to edit, and gives it the marks' keys.
_TRANSCRIPT = f"""\
<View>
{_ONE_TEXT}
{_HEADER}  <Audio name="{AUDIO}" value="$audio" splitchannels="true" height="72" waveheight="28"/>
  <TextArea name="{TRANSCRIPTION}" toName="{AUDIO}" rows="4" editable="true" \
transcription="true" maxSubmissions="1">
    <Shortcut alias="[unintelligible]" value="[unintelligible]" hotkey="ctrl+1"/>
    <Shortcut alias="[crosstalk]" value="[crosstalk]" hotkey="ctrl+2"/>
  </TextArea>
  <Choices name="{LANGUAGE}" toName="{AUDIO}" value="$languages" choice="single" \
showInline="true"/>
{_VERDICT}
</View>
"""

# Without displayMode a segment's text is hidden until it is clicked. No hotkey of an Audio's own:
# the stock one plays the selected segment also while someone types, any other does not.
_SEGMENTS = f"""\
<View>
{_LIST}
{_HEADER}  <Audio name="{AUDIO}" value="$audio" splitchannels="true" height="110" waveheight="44"/>
  <Labels name="{SPEAKER}" toName="{AUDIO}" value="$speakers"/>
  <TextArea name="{TEXT}" toName="{AUDIO}" perRegion="true" rows="2" editable="true" \
maxSubmissions="1" displayMode="region-list"/>
  <Choices name="issue" toName="{AUDIO}" perRegion="true" choice="multiple" showInline="true">
    <Choice value="unintelligible" hotkey="i"/>
    <Choice value="crosstalk" hotkey="o"/>
    <Choice value="no speech" hotkey="n"/>
  </Choices>
  <Choices name="{LANGUAGE}" toName="{AUDIO}" value="$languages" choice="single" \
showInline="true"/>
{_VERDICT}
  <TextArea name="note" toName="{AUDIO}" rows="1" editable="true" maxSubmissions="1" \
placeholder="Note"/>
  <Markdown value="**Ctrl+P** plays the selected segment, also while typing · **Enter** keeps the \
text · **1-6** speaker · **Ctrl+Z** undo · **Ctrl+Enter** submit (outside the boxes) · \
By Time → *Media Start Time*"/>
</View>
"""

_CONFIGURATIONS = {TaskKind.TRANSCRIPT: _TRANSCRIPT, TaskKind.SEGMENTS: _SEGMENTS}


def labeling_config(kind: TaskKind, *, named: bool = True) -> str:
    """The labeling configuration of a project for tasks of this kind: XML, ending in a newline.

    Args:
        kind: what the tasks are.
        named: whether every task says which recording it is of (`data.recording`).
    """
    config = _CONFIGURATIONS[kind]
    return config if named else config.replace(_HEADER, "")
