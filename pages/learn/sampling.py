"""How samples are drawn: five sampling methods side by side, and their effects on training in real runs."""

import streamlit as st

from sgd_tf.sampling import controls, plain, shufflers_view, view, visits_view
from sgd_tf.ui.language import prose

part = controls.part()

if part == "ways":
    st.markdown(prose(__file__, "ways_question"))
    guess = visits_view.predict()
    orders, k, num_epochs = controls.ways()
    drawn = visits_view.orders(orders)
    if drawn:
        visits_view.answer(guess, drawn)
        st.caption(prose(__file__, "legend"))
        may_see = visits_view.may_see(guess)
        visits_view.five_ways(drawn, orders, k, num_epochs, may_see)
        st.markdown(prose(__file__, "ways"))
        if may_see:
            visits_view.missed_table(drawn, num_epochs)
        view.code(visits_view.ledger_code(orders, k, num_epochs), plain.orders(orders, k, num_epochs))

if part == "shufflers":
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.markdown(prose(__file__, "shufflers_question"))
        shufflers_view.SHUFFLERS.predict()
        both = controls.shufflers_plan()
        shufflers_view.SHUFFLERS.buttons(both)
    with right:
        shufflers_view.SHUFFLERS.result(both)
    st.markdown(prose(__file__, "shufflers_notice"))
    view.code(shufflers_view.code(both), shufflers_view.plain_orders(both))

if part == "floor":
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.markdown(prose(__file__, "floor_question"))
        view.FLOOR.predict()
        floor = controls.floor_plan()
        view.FLOOR.buttons(floor)
    with right:
        view.FLOOR.result(floor)
    st.markdown(prose(__file__, "floor_notice"))
    view.code(view.floor_code(floor), plain.floor(floor))

if part == "sorted":
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.markdown(prose(__file__, "sorted_question"))
        view.SORTED.predict()
        by_class = controls.sorted_plan()
        view.SORTED.buttons(by_class)
    with right:
        controls.MEASURE.draw(label_visibility="collapsed")
        view.SORTED.result(by_class)
    st.markdown(prose(__file__, "sorted_notice"))
    view.code(view.sorted_code(by_class), plain.by_class(by_class))

if part == "genie":
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.markdown(prose(__file__, "genie_question"))
        view.GENIE.predict()
        copies = controls.genie_plan()
        view.GENIE.buttons(copies)
    with right:
        controls.COUNTER.draw(label_visibility="collapsed")
        view.GENIE.result(copies)
    st.markdown(prose(__file__, "genie_notice"))
    view.code(view.genie_code(copies), plain.genie(copies))
