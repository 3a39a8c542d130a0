"""What a reviewer does with a task, and the labeling configuration that Label Studio needs for it.

One configuration per kind serves every task of the kind, with one speaker or ten, with a language
identified or none: what differs between tasks comes out of the task (`$speakers`, `$languages`).
Label Studio (1.23) then wants both in every task, shows nothing for an empty list, and checks no
label against a list of its own; a fixed label beside them would make its strict check refuse all
the others. A tag without a name it asks no task for, and shows nothing where the key is missing
(`$recording`, `$dialogue`). What reviewers say beside the text (`issue`, `verdict`, `note`) no
prediction fills in.
"""

from __future__ import annotations

from pipeline.model import Layout, TaskKind

AUDIO = "audio"
TRANSCRIPTION = "transcription"
TEXT = "text"
SPEAKER = "speaker"
LANGUAGE = "language"
"""The names of the audio and of what is edited, in configurations, predictions and annotations."""


# Label Studio (1.23) strips ">" from a style, so there are descendant selectors alone. The panel of
# regions, which stay empty here, stands on the right, and in a narrow window below Submit.
_ONE_TEXT = """\
  <Style>
    textarea[name^="transcription"] { height: calc(100vh - 500px) !important; min-height: 7em; \
unicode-bidi: plaintext; text-align: start; line-height: 1.7; font-size: 16px; }
    .lsf-sidepanels:has(.lsf-outliner) { padding-right: 0 !important; }
    .lsf-sidepanels__wrapper:has(.lsf-outliner) { display: none; }
    .lsf-main-view__annotation:has(mark) textarea[name^="transcription"] \
{ height: calc(100vh - 630px) !important; }
    p[dir] { unicode-bidi: plaintext; text-align: start; margin-bottom: 6px; }
    [data-shortcut] { color: inherit !important; }
  </Style>"""

# The list of regions takes more than half of the page: a line each, speaker and text side by side.
# What stands there is not said twice, but for segments with words that need ears.
# What is left of it holds the bar below, whose buttons take up to 520 pixels.
_LIST = """\
  <Style>
    .lsf-sidepanels:has(.lsf-sidepanels__wrapper_align_right .lsf-outliner) \
{ padding-right: min(58%, calc(100% - 520px)) !important; }
    .lsf-sidepanels__wrapper_align_right:has(.lsf-outliner) \
{ width: min(58%, calc(100% - 520px)) !important; }
    .lsf-bottombar [data-testid="bottombar-submit-button"] { width: auto !important; }
    .lsf-sidepanels__wrapper_align_right:has(.lsf-outliner) .lsf-tabs-panel \
{ width: 100% !important; height: 236px !important; }
    .lsf-sidepanels__wrapper_align_right:has(.lsf-outliner) .lsf-tabs-panel_hidden \
{ height: 24px !important; }
    .lsf-sidepanels__wrapper_align_right .lsf-tabs-panel:has(.lsf-outliner) \
{ height: calc(100% - 236px) !important; }
    .lsf-sidepanels__wrapper_align_right:has(.lsf-tabs-panel_hidden) \
.lsf-tabs-panel:has(.lsf-outliner) { height: calc(100% - 24px) !important; }
    .lsf-outliner-item { display: flex !important; gap: 6px; }
    .lsf-outliner-item__content { flex: 0 0 132px; }
    .lsf-outliner-item__ocr { flex: 1; }
    .lsf-outliner-item__wrapper { width: 26px; }
    .lsf-outliner-item__control_type_lock, .lsf-tree-icon__customize { display: none !important; }
    .lsf-textarea-tag textarea { unicode-bidi: plaintext; text-align: start; }
    p[dir] { unicode-bidi: plaintext; text-align: start; margin-bottom: 6px; }
    p[dir]:not(:has(mark)) { display: none; }
  </Style>"""

_FOCUS = """\
  <Style>
    textarea[name^="text"] { unicode-bidi: plaintext; text-align: start; }
    p[dir] { unicode-bidi: plaintext; text-align: start; margin-bottom: 6px; }
    [data-shortcut] { color: inherit !important; }
  </Style>"""

_HEADER = """\
  <Header value="$recording" size="5"/>"""

_DIALOGUE = """\
  <Markdown value="$dialogue"/>"""

_ISSUE = f"""\
  <Choices name="issue" toName="{AUDIO}" perRegion="true" choice="multiple" showInline="true">
    <Choice value="unintelligible" hotkey="i"/>
    <Choice value="crosstalk" hotkey="o"/>
    <Choice value="no speech" hotkey="n"/>
  </Choices>"""

_OF_THE_RECORDING = f"""\
  <Choices name="{LANGUAGE}" toName="{AUDIO}" value="$languages" choice="single" \
showInline="true"/>
  <Choices name="verdict" toName="{AUDIO}" choice="single" showInline="true">
    <Choice value="clear" hotkey="7"/>
    <Choice value="noisy" hotkey="8"/>
    <Choice value="unusable" hotkey="9"/>
  </Choices>"""

_NOTE = f"""\
  <TextArea name="note" toName="{AUDIO}" rows="1" editable="true" maxSubmissions="1" \
placeholder="Note"/>"""

_MARKS = """\
    <Shortcut alias="[unintelligible]" value="[unintelligible]" hotkey="ctrl+1"/>
    <Shortcut alias="[crosstalk]" value="[crosstalk]" hotkey="ctrl+2"/>"""

# `transcription` leaves the box open to edit, and gives it the marks' keys.
_TRANSCRIPT = f"""\
<View>
{_ONE_TEXT}
{_HEADER}
  <Audio name="{AUDIO}" value="$audio" splitchannels="true" height="72" waveheight="28"/>
  <TextArea name="{TRANSCRIPTION}" toName="{AUDIO}" rows="4" editable="true" \
transcription="true" maxSubmissions="1">
{_MARKS}
  </TextArea>
  <View style="max-height: 130px; overflow-y: auto">
{_DIALOGUE}
  </View>
{_OF_THE_RECORDING}
</View>
"""

_AUDIO_AND_SPEAKERS = f"""\
  <Audio name="{AUDIO}" value="$audio" splitchannels="true" height="110" waveheight="44"/>
  <Labels name="{SPEAKER}" toName="{AUDIO}" value="$speakers"/>"""

# Without displayMode a segment's text is hidden until it is clicked. No hotkey of an Audio's own:
# the stock one plays the selected segment also while someone types, any other does not.
_SEGMENT_LIST = f"""\
<View>
{_LIST}
{_HEADER}
{_AUDIO_AND_SPEAKERS}
  <TextArea name="{TEXT}" toName="{AUDIO}" perRegion="true" rows="2" editable="true" \
maxSubmissions="1" displayMode="region-list"/>
{_ISSUE}
{_OF_THE_RECORDING}
{_NOTE}
  <Markdown value="**Ctrl+P** plays the selected segment, also while typing · **Enter** keeps the \
text · **1-6** speaker · **Ctrl+Z** undo · **Ctrl+Enter** submit (outside the boxes) · \
By Time → *Media Start Time*"/>
{_DIALOGUE}
</View>
"""

# The box stands last: from a field with choices behind it no key would lead to the next segment.
_SEGMENT_FOCUS = f"""\
<View>
{_FOCUS}
{_HEADER}
{_AUDIO_AND_SPEAKERS}
  <View style="display: flex; flex-wrap: wrap; column-gap: 24px">
{_ISSUE}
{_OF_THE_RECORDING}
  <View style="flex: 1 1 240px">
{_NOTE}
  </View>
  </View>
  <TextArea name="{TEXT}" toName="{AUDIO}" perRegion="true" rows="3" editable="true" \
transcription="true" maxSubmissions="1">
{_MARKS}
  </TextArea>
  <Markdown value="**Alt+.** next segment, **Alt+,** the one before (outside the box) · **Ctrl+P** \
plays it, also while typing · **Tab** keeps the text and leaves the box · then **1-6** speaker, \
**Ctrl+Z** undo, **Ctrl+Enter** submit · By Time → *Media Start Time*"/>
{_DIALOGUE}
</View>
"""

_OF_SEGMENTS = {Layout.LIST: _SEGMENT_LIST, Layout.FOCUS: _SEGMENT_FOCUS}


def labeling_config(kind: TaskKind, layout: Layout = Layout.LIST) -> str:
    """The labeling configuration of a project for tasks of this kind: XML, ending in a newline.

    Args:
        kind: what the tasks are.
        layout: how tasks of segments are shown; those of one text have one layout.
    """
    return _TRANSCRIPT if kind is TaskKind.TRANSCRIPT else _OF_SEGMENTS[layout]
