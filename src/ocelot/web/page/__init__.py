"""The web page: plain links and forms, which one small script makes quicker.

::

    routes.py    what each path answers        question.py  a question <-> its link
    views.py     an answer -> what is shown    filters.py   metadata fields -> chips
    items.py     show, add, edit, delete       verdicts.py  slow rerankers, run once
    shop.py      questions to the service      pictures.py  uploaded query pictures
    login.py     the login form                texts.py     with texts/: English, Italian
    rendering.py templates/, static/ -> responses
    problem_pages.py  what went wrong, as a page
"""
