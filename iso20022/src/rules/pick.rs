//! Picking the children of an element that rules ask for, in one pass and without allocation.

/// Declares a struct of optional nodes and the pass that fills it: for each field the names of the
/// child elements that it takes. Of several children of one field the first is kept.
macro_rules! picked {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $($element:literal)|+),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default)]
        pub(crate) struct $name<'a> {
            $(pub(crate) $field: Option<$crate::tree::Node<'a>>,)+
        }

        impl<'a> $name<'a> {
            pub(crate) fn of(node: $crate::tree::Node<'a>) -> Self {
                let mut picked = Self::default();
                for child in node.elements() {
                    let field = match child.name() {
                        $($($element)|+ => &mut picked.$field,)+
                        _ => continue,
                    };
                    if field.is_none() {
                        *field = Some(child);
                    }
                }
                picked
            }
        }
    };
}
pub(crate) use picked;
