"""The web page: plain links and forms, which one small script makes quicker.

::

    routes.py    what each path answers        question.py  a question <-> its link
    items.py     show, add, edit, delete       views.py     an answer -> what is shown
    login.py     the login form                texts.py     with texts/: English, Italian
    shop.py      what is asked of the service  pictures.py  uploaded query pictures
    rendering.py templates/, static/ -> responses; what went wrong, as a page
"""
