"""The web page, in Gradio.

::

    layout.py       the parts and their events      actions.py    what each button does
    form.py         fields -> a search, a filter    cards.py      answers -> HTML, by cards.html
    controls.py     fields for filters              state.py      what an open page remembers
    query_images.py uploads and previews            middleware.py Gradio's paths and streams
    login.py        the login form                  theme.py      with style.css
"""
