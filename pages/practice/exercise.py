"""The book's exercise: California housing by a small network, with the book's losses beside one's own, and tasks."""

import streamlit as st

from sgd_tf.exercise import controls, view
from sgd_tf.ui.language import _, prose

part = controls.part()
left, right = st.columns([1, 2], gap="medium")

if part == "book":
    with left:
        st.markdown(prose(__file__, "book_question"))
        plan = controls.book_plan()
        view.BOOK.predict(plan)
        view.BOOK.buttons(plan)
        view.offer_flights(view.BOOK.kind)
    with right:
        view.BOOK.result(plan)
    st.markdown(prose(__file__, "book_notice"))

if part == "open":
    with left:
        st.markdown(prose(__file__, "open_question"))
        plan = controls.open_plan()
        view.OPEN.predict(plan)
        view.OPEN.buttons(plan)
        view.offer_flights(view.OPEN.kind)
    with right:
        view.OPEN.result(plan)
    st.markdown(prose(__file__, "open_notice"))

if part == "tasks":
    with left:
        st.markdown(prose(__file__, "tasks_question"))
        task = controls.task()
        st.markdown(_(task.text))
        check = controls.task_plan(task)
        view.CHECK.buttons(check, label=_("Check"))
        view.offer_flights(view.CHECK.kind)
        view.hints(task)
    with right:
        view.CHECK.result(check)
    st.markdown(prose(__file__, "tasks_notice"))

view.code()
