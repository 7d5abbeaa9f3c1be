//! The words that titles are made of: plain ones that people can picture.

/// Nouns per category; each is a weak subcategory with a taste of its own.
pub(crate) const NOUNS: usize = 8;
/// Adjectives that fit one category.
const ADJECTIVES: usize = 8;
/// Adjectives that fit them all.
const STYLES: usize = 16;

/// What people call one kind of goods.
#[derive(Debug)]
pub(crate) struct CategoryWords {
    /// Value of the attribute `category`.
    pub(crate) name: &'static str,
    /// Typical price.
    pub(crate) price: f64,
    adjectives: [&'static str; ADJECTIVES],
    nouns: [&'static str; NOUNS],
}

impl CategoryWords {
    /// The title of the category's `n`-th item, and which noun it has.
    ///
    /// The first 192 take one adjective and the next 1,024 two, no title twice; after that titles
    /// repeat, and brand and price tell items apart.
    pub(crate) fn title(&self, n: usize) -> (String, usize) {
        const SINGLE: usize = (ADJECTIVES + STYLES) * NOUNS;
        const DOUBLE: usize = ADJECTIVES * STYLES * NOUNS;
        // Steps that share no factor with the number of titles visit each once, in mixed order.
        if n < SINGLE {
            let step = n * 37 % SINGLE;
            let (adjective, noun) = (step / NOUNS, step % NOUNS);
            let word = self.adjectives.get(adjective).unwrap_or_else(|| &STYLE_WORDS[adjective - ADJECTIVES]);
            return (format!("{word} {}", self.nouns[noun]), noun);
        }
        let step = (n - SINGLE) % DOUBLE * 333 % DOUBLE;
        let (pair, noun) = (step / NOUNS, step % NOUNS);
        let (style, adjective) = (STYLE_WORDS[pair / ADJECTIVES], self.adjectives[pair % ADJECTIVES].to_lowercase());
        (format!("{style} {adjective} {}", self.nouns[noun]), noun)
    }
}

const STYLE_WORDS: [&str; STYLES] = [
    "Midnight", "Ivory", "Sage", "Amber", "Coral", "Slate", "Scarlet", "Teal", "Vintage", "Modern", "Compact",
    "Everyday", "Premium", "Handmade", "Nordic", "Limited",
];

/// Invented makers; each sells in a few categories.
pub(crate) const BRANDS: [&str; 24] = [
    "Aldermoor",
    "Brisfeld",
    "Castevo",
    "Drumlane",
    "Elmquist",
    "Fennrick",
    "Glasmere",
    "Hallowby",
    "Ivendale",
    "Jostrand",
    "Kelvarra",
    "Lunwick",
    "Merrowe",
    "Norvessa",
    "Ostrelle",
    "Pinvale",
    "Quillmar",
    "Rosquith",
    "Sundholt",
    "Talmera",
    "Umberlee",
    "Vantrell",
    "Wexcombe",
    "Yarrowin",
];

#[rustfmt::skip]
pub(crate) const CATEGORIES: [CategoryWords; 20] = [
    CategoryWords { name: "Lighting", price: 45.0,
        adjectives: ["Copper", "Brass", "Frosted", "Rattan", "Glass", "Dimmable", "Opal", "Paper"],
        nouns: ["desk lamp", "floor lamp", "pendant light", "lantern", "wall light", "string lights", "night light", "table lamp"] },
    CategoryWords { name: "Furniture", price: 180.0,
        adjectives: ["Oak", "Walnut", "Velvet", "Folding", "Slim", "Upholstered", "Pine", "Stacking"],
        nouns: ["armchair", "bookshelf", "side table", "stool", "bench", "coat rack", "dresser", "writing desk"] },
    CategoryWords { name: "Kitchen", price: 32.0,
        adjectives: ["Enamel", "Steel", "Bamboo", "Nonstick", "Ceramic", "Hammered", "Ribbed", "Stoneware"],
        nouns: ["saucepan", "cutting board", "teapot", "mixing bowl", "skillet", "kettle", "serving dish", "spice jar"] },
    CategoryWords { name: "Books", price: 16.0,
        adjectives: ["Illustrated", "Pocket", "Annotated", "Collected", "Classic", "Signed", "Hardcover", "Bilingual"],
        nouns: ["cookbook", "atlas", "mystery novel", "poems", "travel guide", "biography", "picture book", "field guide"] },
    CategoryWords { name: "Board games", price: 28.0,
        adjectives: ["Cooperative", "Wooden", "Family", "Quick", "Magnetic", "Deluxe", "Solo", "Party"],
        nouns: ["strategy game", "card game", "dice game", "jigsaw puzzle", "word game", "trivia game", "chess set", "domino set"] },
    CategoryWords { name: "Garden", price: 24.0,
        adjectives: ["Galvanised", "Terracotta", "Cedar", "Hanging", "Recycled", "Forged", "Raised", "Glazed"],
        nouns: ["watering can", "planter", "trowel", "pruning shears", "seed kit", "bird feeder", "trellis", "garden stool"] },
    CategoryWords { name: "Cycling", price: 38.0,
        adjectives: ["Alloy", "Reflective", "Carbon", "Waterproof", "Clip-on", "Touring", "Urban", "Rugged"],
        nouns: ["bike helmet", "bike light", "saddle bag", "multitool", "water bottle", "floor pump", "handlebar tape", "bike lock"] },
    CategoryWords { name: "Running", price: 42.0,
        adjectives: ["Breathable", "Cushioned", "Reflective", "Seamless", "Feather", "Trail", "Winter", "Race"],
        nouns: ["running shoes", "running vest", "running belt", "headband", "shorts", "running socks", "wind jacket", "cap"] },
    CategoryWords { name: "Camping", price: 70.0,
        adjectives: ["Ultralight", "Insulated", "Inflatable", "Alpine", "Canvas", "Folding", "Windproof", "Thermal"],
        nouns: ["tent", "sleeping bag", "camp stove", "headlamp", "hammock", "cool box", "trekking poles", "dry bag"] },
    CategoryWords { name: "Audio", price: 110.0,
        adjectives: ["Wireless", "Studio", "Portable", "Walnut", "Open-back", "Waterproof", "Analogue", "Folding"],
        nouns: ["headphones", "speaker", "turntable", "earbuds", "soundbar", "microphone", "radio", "amplifier"] },
    CategoryWords { name: "Photography", price: 55.0,
        adjectives: ["Leather", "Carbon", "Padded", "Tabletop", "Canvas", "Travel", "Studio", "Mini"],
        nouns: ["camera strap", "tripod", "camera bag", "instant camera", "photo album", "ring light", "lens case", "backdrop"] },
    CategoryWords { name: "Computing", price: 60.0,
        adjectives: ["Mechanical", "Wireless", "Aluminium", "Ergonomic", "Silent", "Backlit", "Felt", "Foldable"],
        nouns: ["keyboard", "mouse", "monitor stand", "laptop sleeve", "docking station", "webcam", "mouse mat", "drive case"] },
    CategoryWords { name: "Stationery", price: 12.0,
        adjectives: ["Dotted", "Linen", "Refillable", "Marbled", "Leather", "Pocket", "Ruled", "Recycled"],
        nouns: ["notebook", "fountain pen", "planner", "pencil case", "sketchbook", "desk pad", "letter set", "bookmark"] },
    CategoryWords { name: "Jewellery", price: 75.0,
        adjectives: ["Silver", "Gold", "Pearl", "Braided", "Engraved", "Garnet", "Hammered", "Twisted"],
        nouns: ["necklace", "ring", "bracelet", "earrings", "brooch", "anklet", "pendant", "cufflinks"] },
    CategoryWords { name: "Clothing", price: 48.0,
        adjectives: ["Linen", "Merino", "Striped", "Quilted", "Denim", "Cropped", "Cable-knit", "Relaxed"],
        nouns: ["sweater", "raincoat", "scarf", "shirt", "trousers", "cardigan", "beanie", "dress"] },
    CategoryWords { name: "Skincare", price: 20.0,
        adjectives: ["Soothing", "Citrus", "Oat", "Unscented", "Rose", "Hydrating", "Mineral", "Gentle"],
        nouns: ["face cream", "cleanser", "body lotion", "lip balm", "serum", "soap bar", "face mask", "hand cream"] },
    CategoryWords { name: "Coffee and tea", price: 15.0,
        adjectives: ["Organic", "Smoked", "Single-origin", "Dark", "Floral", "Spiced", "Decaf", "Breakfast"],
        nouns: ["espresso beans", "filter coffee", "green tea", "black tea", "tea sampler", "cold brew", "chai blend", "oolong"] },
    CategoryWords { name: "Pets", price: 26.0,
        adjectives: ["Plush", "Braided", "Orthopaedic", "Washable", "Sisal", "Interactive", "Padded", "Woven"],
        nouns: ["dog bed", "cat tree", "leash", "chew toy", "food bowl", "pet carrier", "scratching post", "pet blanket"] },
    CategoryWords { name: "Toys", price: 22.0,
        adjectives: ["Wooden", "Stacking", "Rainbow", "Magnetic", "Musical", "Felt", "Pull-along", "Painted"],
        nouns: ["building blocks", "train set", "plush bear", "kite", "doll house", "marble run", "ring stacker", "puppet"] },
    CategoryWords { name: "Art supplies", price: 18.0,
        adjectives: ["Watercolour", "Acrylic", "Student", "Artist", "Travel", "Pastel", "Boxed", "Refillable"],
        nouns: ["paint set", "easel", "brush set", "paper pad", "marker set", "palette", "clay kit", "colour wheel"] },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_category_names_1216_items_before_a_title_repeats() {
        for category in &CATEGORIES {
            let titles: HashSet<_> = (0..1_216).map(|n| category.title(n).0).collect();
            assert_eq!(titles.len(), 1_216, "{}", category.name);
            assert!(titles.contains(&category.title(1_000_000).0));
        }
    }

    #[test]
    fn titles_read_aloud() {
        assert_eq!(CATEGORIES[0].title(0).0, "Copper desk lamp");
        assert_eq!(CATEGORIES[0].title(192).0, "Midnight copper desk lamp");
    }
}
