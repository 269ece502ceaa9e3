"""Code to take home: what the lab runs, and the same in plain TensorFlow as a script and as a notebook."""

from __future__ import annotations

import streamlit as st

from sgd_tf.plain_tensorflow.documents import INSTALL, write_notebook
from sgd_tf.plain_tensorflow.records import Snippet
from sgd_tf.ui.language import _


def both(lab: str, plain: str | None, *, name: str) -> None:
    """Draw the code of the lab and the plain code, each on a tab.

    Args:
        lab: source that uses this package.
        plain: source that needs TensorFlow and scikit-learn only; None where there is none for these settings.
        name: of the files, and of the keys of the buttons.
    """
    with st.container(key=f"{name}_code"):
        of_lab, of_tensorflow = st.tabs([_("The lab's code"), _("Plain TensorFlow")])
        of_lab.code(lab, language="python")
        with of_tensorflow:
            plain_code(plain, name=name)


def plain_code(plain: str | None, *, name: str) -> None:
    """Draw plain code, and buttons that give it away.

    Args:
        plain: source that needs TensorFlow and scikit-learn only; None where there is none for these settings.
        name: of the files, and of the keys of the buttons.
    """
    if plain is None:
        st.markdown(_("There is no plain code for these settings: their data are a file of the lab or your own."))
        return
    st.markdown(
        _("It needs TensorFlow and scikit-learn only, and loads its data by itself. It runs in Colab as it is.")
    )
    with st.container(horizontal=True):
        st.download_button(
            _("Notebook"),
            write_notebook([f"# {name}", Snippet(body=INSTALL), Snippet(body=plain.rstrip())]),
            f"{name}_tensorflow.ipynb",
            "application/x-ipynb+json",
            icon=":material/book_2:",
            key=f"{name}_plain_notebook",
            on_click="ignore",
        )
        st.download_button(
            _("Script"),
            plain,
            f"{name}_tensorflow.py",
            "text/x-python",
            icon=":material/download:",
            key=f"{name}_plain_script",
            on_click="ignore",
        )
    st.code(plain, language="python")
